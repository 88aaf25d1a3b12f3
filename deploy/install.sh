#!/bin/sh
# Makes in /srv/hub what jupyterhub_config.py expects. Run as root, from a clone in /srv/hub/clone; running it again updates.
set -eu
umask 022
hub=/srv/hub clone=/srv/hub/clone python=${PYTHON:-python3}
proxy=configurable-http-proxy@5.3.0

stop() { echo "$1" >&2; exit 1; }
[ "$(id -u)" = 0 ] || stop "The hub starts servers as other users, so this must run as root."
[ -f "$clone/deploy/install.sh" ] || stop "The clone of the course's repository belongs into $clone."
for command in node npm; do
    command -v "$command" >/dev/null || stop "$command is missing; the proxy needs Node.js (Debian: apt install nodejs npm)."
done
"$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    stop "Python 3.11 or newer with venv is needed (Debian: apt install python3-venv); to name another: PYTHON=python3.12 sh install.sh"

sh "$clone/deploy/system.sh"

lay() { mkdir -p "$(dirname "$1")" && cat > "$1"; }  # FILE, from what is piped in
environment() {  # NAME, and what pip installs beside requirements.txt
    folder=$hub/$1 settings=$hub/$1/etc/jupyter
    shift
    [ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -c "$clone/constraints.txt" \
        ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r "$clone/deploy/requirements.txt" "$@"
    lay "$settings/nbgrader_config.py" < "$clone/deploy/nbgrader_config.py"
}

environment teacher -e "$clone[teach]"
lay "$settings/labconfig/page_config.json" <<'END'
{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}
END
lay "$settings/jupyter_server_config.json" <<'END'
{"ServerApp": {"tornado_settings": {"headers": {"Content-Security-Policy": "frame-ancestors 'self'"}}}}
END

# Students get the students' repository: no hidden check, no bank, no grading; and no teachers' parts of nbgrader.
released=$(mktemp -d)
"$hub/teacher/bin/autograder" release --to "$released/students"
[ ! -x "$hub/student/bin/python" ] || "$hub/student/bin/python" -m pip uninstall --quiet --yes autograder
environment student "$released/students"
rm -r "$released"
lay "$settings/labconfig/page_config.json" <<'END'
{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true,
    "@jupyter/nbgrader:formgrader": true, "@jupyter/nbgrader:create-assignment": true}}
END
lay "$settings/jupyter_server_config.d/nbgrader.server_extensions.formgrader.json" <<'END'
{"ServerApp": {"jpserver_extensions": {"nbgrader.server_extensions.formgrader": false}}}
END

npm install --silent --no-audit --no-fund --prefix "$hub/proxy" "$proxy"
echo "Made: $hub. Next: users and the course, see $clone/deploy/README.md"
