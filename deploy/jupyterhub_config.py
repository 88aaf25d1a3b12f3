"""JupyterHub for the course: students and teachers are users of this machine. Steps and choices: clone/deploy/README.md."""

import grp
import os
import pwd
import shutil
import socket
import sys
from pathlib import Path

c = get_config()  # noqa: F821  (JupyterHub provides it)

HUB = Path("/srv/hub")
STUDENTS, STAFF = "course-students", "course-staff"  # groups of this machine
PORT, PROXY_PORT, HUB_PORT = 8000, 8001, 8081  # for a web server with TLS in front; the others for the hub alone


def ready():
    """Ends with a sentence where the hub cannot start."""
    if os.geteuid():
        sys.exit("The hub starts servers as other users, so it must run as root.")
    if not shutil.which("node"):
        sys.exit("node is missing; the proxy needs Node.js (Debian: apt install nodejs).")
    for port in (PORT, PROXY_PORT, HUB_PORT):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind(("127.0.0.1", port))
            except OSError as error:
                sys.exit(f"Port {port} of this machine is not free ({error.strerror}); end what uses it, or change the port in {__file__}.")


def environment_of(spawner):
    """Students' servers run in the students' environment, which has nothing of the teachers'."""
    user = pwd.getpwnam(spawner.user.name)
    is_staff = grp.getgrnam(STAFF).gr_gid in os.getgrouplist(user.pw_name, user.pw_gid)
    folder = HUB / ("teacher" if is_staff else "student")
    if (HUB / "course").stat().st_uid == user.pw_uid:
        spawner.notebook_dir = str(HUB / "course")  # Formgrader shows only a course beneath the folder of JupyterLab
    spawner.cmd = [str(folder / "bin" / "jupyterhub-singleuser")]
    spawner.environment = {
        "PATH": f"{folder}/bin:/usr/local/bin:/usr/bin:/bin",
        "JUPYTER_RUNTIME_DIR": f"{user.pw_dir}/.run",  # holds the kernels' sockets, whose paths must be short
        "OMP_NUM_THREADS": "2",
    }


ready()
c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_port = HUB_PORT
c.JupyterHub.db_url = f"sqlite:///{HUB}/state/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(HUB / "state" / "cookie_secret")
c.ConfigurableHTTPProxy.command = [str(HUB / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy")]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PROXY_PORT}"
c.ConfigurableHTTPProxy.pid_file = str(HUB / "state" / "proxy.pid")

c.JupyterHub.authenticator_class = "pam"
c.LocalAuthenticator.allowed_groups = {STUDENTS, STAFF}

c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.pre_spawn_hook = environment_of
c.Spawner.env_keep = ["LANG", "LC_ALL", "TZ"]
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = c.Spawner.http_timeout = 300  # seconds; a class that logs in at once makes a server slow
c.Spawner.args = [
    "--KernelManager.transport=ipc",  # over TCP every user of the machine could read what a kernel prints
    "--MappingKernelManager.cull_idle_timeout=3600",  # seconds
    "--ServerApp.shutdown_no_activity_timeout=7200",
]
