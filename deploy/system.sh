#!/bin/sh
# Groups, folders, permissions, the path, the hub's configuration; install.sh begins with it. Safe to run again.
set -eu
hub=/srv/hub

getent group course-staff >/dev/null || groupadd course-staff
getent group course-students >/dev/null || groupadd course-students
mkdir -p "$hub/teacher" "$hub/state" "$hub/exchange" "$hub/course"
chown root:course-staff "$hub/clone" "$hub/teacher"
chmod 750 "$hub/clone" "$hub/teacher"  # solutions and hidden checks
chmod 700 "$hub/state" "$hub/course"
chmod 1777 "$hub/exchange"  # sticky: nobody removes or renames what others made
cp "$hub/clone/deploy/jupyterhub_config.py" "$hub/"

cat > /etc/profile.d/course-hub.sh <<'END'
# The course's environment on the path: in terminals of the hub, too, which begin with a login.
[ "$(id -u)" = 0 ] || for environment in student teacher; do
    [ -r "/srv/hub/$environment" ] && PATH=/srv/hub/$environment/bin:$PATH
done
END
