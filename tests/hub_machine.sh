# A machine of its own on this one, for tests/test_hub.py: users, files and processes that are gone when it ends.
# unshare --mount --pid --fork --kill-child --mount-proc [--net] sh hub_machine.sh REPOSITORY BUILD PYTHON-PREFIX COMMAND...
# Homes, /tmp and the repository are empty there, /etc is a copy, BUILD is /srv/hub; Python is where it was.
set -eu
repository=$1 build=$2 prefix=$3
shift 3
cd /
mount -t tmpfs -o mode=755 none /mnt
mkdir /mnt/hub /mnt/prefix
mount --bind "$build" /mnt/hub
mount --bind "$prefix" /mnt/prefix
cp -a /etc /mnt/etc
for folder in /root /home /srv "$repository"; do
    mkdir -p "$folder"
    mount -t tmpfs -o mode=755 none "$folder"
done
mount -t tmpfs -o mode=1777 none /tmp
mkdir -p "$prefix" /srv/hub
[ -e "$prefix/bin" ] || mount --bind /mnt/prefix "$prefix"
mount --bind /mnt/hub /srv/hub
mount --bind /mnt/etc /etc
umount -l /mnt
exec "$@"
