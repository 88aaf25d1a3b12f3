"""Enclose the calling process. Two rungs of one ladder; `enclose` climbs the one it is told.

namespaces  fresh user, pid, mount, network, ipc and uts namespaces; a root of its own that
            holds Python and the system's libraries read-only and a private tmpfs
landlock    where namespaces are refused: Landlock on files, and signals where the kernel has it

Both end with limits, a seccomp filter, no capabilities and no new privileges. What is
called here runs between fork and student code: plain system calls, nothing that allocates
threads. `Refused` says which step the kernel refused.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
import sysconfig
from pathlib import Path

NOBODY = 65534
SCRATCH_BYTES, SCRATCH_FILES = 64 << 20, 2000
FILE_BYTES = 16 << 20

libc = ctypes.CDLL(None, use_errno=True)

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 38, 22, 24, 1, 4

# number on x86_64, number on aarch64 (-1: has none)
SYSCALLS = {
    "pivot_root": (155, 41), "capset": (126, 91), "mount_setattr": (442, 442),
    "landlock_create_ruleset": (444, 444), "landlock_add_rule": (445, 445), "landlock_restrict_self": (446, 446),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "mount": (165, 40), "umount2": (166, 39), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "bpf": (321, 280), "perf_event_open": (298, 241), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "swapon": (167, 224), "reboot": (169, 142), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "acct": (163, 89), "quotactl": (179, 60), "open_by_handle_at": (304, 265),
    "kcmp": (312, 272), "pidfd_getfd": (438, 438), "personality": (135, 92), "clone3": (435, 435),
    "clone": (56, 220), "socket": (41, 198), "setsid": (112, 157), "setpgid": (109, 154),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "pidfd_send_signal": (424, 424), "prlimit64": (302, 261), "fork": (57, -1), "vfork": (58, -1), "prctl": (157, 167),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "syslog": (103, 116), "open": (2, -1), "openat": (257, 56),
    "openat2": (437, 437), "fcntl": (72, 25), "ioctl": (16, 29), "shmget": (29, 194), "semget": (64, 190),
    "msgget": (68, 186), "mq_open": (240, 180), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
}
# (system call, argument, test, value): refused where the test holds
EQUAL, DIFFERS, ANY_BIT, NO_BIT = (0x15, 0, 1), (0x15, 1, 0), (0x45, 0, 1), (0x45, 1, 0)
AF_UNIX, CLONE_THREAD, O_TMPFILE = 1, 0x10000, 0x400000
ALWAYS_DENIED = [
    "ptrace", "process_vm_readv", "process_vm_writev", "mount", "umount2", "pivot_root", "chroot", "unshare", "setns",
    "mount_setattr", "open_tree", "move_mount", "fsopen", "fsmount", "bpf", "perf_event_open", "keyctl", "add_key",
    "request_key", "kexec_load", "init_module", "finit_module", "delete_module", "userfaultfd", "io_uring_setup",
    "io_uring_enter", "io_uring_register", "swapon", "reboot", "settimeofday", "clock_settime", "acct", "quotactl",
    "open_by_handle_at", "kcmp", "pidfd_getfd", "personality", "memfd_create", "memfd_secret", "syslog",
    ("prctl", 0, EQUAL, PR_SET_PDEATHSIG),  # a job dies with its keeper
    ("socket", 0, DIFFERS, AF_UNIX), ("clone", 0, ANY_BIT, NEWNS | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET)]
# Without namespaces the grader's own processes may have the same user, and no process namespace ends what a job leaves
# behind: no signals, no second process, no sockets, nothing shared by name, no file that has none.
DENIED_UNDER_LANDLOCK = [
    "kill", "tkill", "tgkill", "rt_sigqueueinfo", "pidfd_send_signal", "prlimit64", "setsid", "setpgid", "fork", "vfork",
    "socket", "shmget", "semget", "msgget", "mq_open", "setpriority", "ioprio_set", "sched_setaffinity", "sched_setscheduler",
    "sched_setparam", "sched_setattr", "openat2", ("clone", 0, NO_BIT, CLONE_THREAD),
    ("open", 1, ANY_BIT, O_TMPFILE), ("openat", 2, ANY_BIT, O_TMPFILE),
    *(("fcntl", 1, EQUAL, command) for command in (8, 10, 15)),  # who gets a descriptor's signals, and which
    *(("ioctl", 1, EQUAL, command) for command in (0x8901, 0x8902))]  # the same
DENIED = {"namespaces": ALWAYS_DENIED, "landlock": ALWAYS_DENIED + DENIED_UNDER_LANDLOCK}

ARCHES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


class Refused(OSError):
    """The kernel refused a step of the enclosure."""


def number(name):
    return SYSCALLS[name][ARCHES[platform.machine()][0]]


def _call(step, function, *arguments):
    if function(*arguments) < 0:
        code = ctypes.get_errno()
        raise Refused(code, f"{step}: {os.strerror(code)}")


def _syscall(name, *arguments):
    result = libc.syscall(ctypes.c_long(number(name)), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise Refused(code, f"{name}: {os.strerror(code)}")
    return result


def _mount(source, target, kind, flags, data=""):
    _call(f"mount {target}", libc.mount, source.encode(), str(target).encode(), kind.encode() or None,
          ctypes.c_ulong(flags), data.encode() or None)


def visible_paths():
    """What student code may read: Python, its packages, the system's libraries. Nothing of the course."""
    wanted = ["/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/fonts", sys.base_prefix, sys.prefix]
    return [Path(p) for p in dict.fromkeys(wanted) if os.path.exists(p)]


def installed_package():
    """Where the course's package lies among the readable packages if it is installed and not linked."""
    return Path(sysconfig.get_paths()["purelib"]) / "autograder"


# --- namespaces ---------------------------------------------------------------------------


def new_namespaces():
    """Leave the caller's namespaces; root needs no user namespace to do so. The next fork is pid 1."""
    flags = NEWNS | NEWPID | NEWNET | NEWIPC | NEWUTS
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _call("unshare", libc.unshare, flags)
        return
    _call("unshare", libc.unshare, flags | NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def own_root(base):
    """Make `base` (an empty folder) the root: read-only binds of `visible_paths`, a tmpfs on /tmp, little else."""
    _mount("", "/", "", MS_REC | MS_PRIVATE)
    _mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    (base / "tmp").mkdir()
    _mount("tmpfs", base / "tmp", "tmpfs", MS_NOSUID | MS_NODEV, f"size={SCRATCH_BYTES},mode=1777")
    for path in visible_paths():
        _bind(path, base)
    hidden = Path(f"{base}{installed_package()}")
    if hidden.is_dir():
        _mount("tmpfs", hidden, "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4k")
    for name in ("null", "zero", "urandom", "random"):
        _bind(Path("/dev") / name, base, writable=True)
    (base / "proc").mkdir()
    try:
        _mount("proc", base / "proc", "proc", MS_NOSUID | MS_NODEV)
    except Refused:
        pass  # in some containers: then there is no /proc at all
    os.chdir(base)
    _syscall("pivot_root", b".", b".")
    _call("umount old root", libc.umount2, b".", MNT_DETACH)
    _mount("", "/", "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chdir("/tmp")


def _bind(path, base, writable=False):
    target = Path(str(base) + str(path))
    if target.exists() or target.is_symlink():
        return  # below a path that is bound already
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        target.symlink_to(os.readlink(path))
        return
    target.mkdir() if path.is_dir() else target.touch()
    _mount(str(path), target, "", MS_BIND | MS_REC)
    if not writable:
        attributes = struct.pack("QQQQ", 1 | 2 | 4, 0, 0, 0)  # read-only, nosuid, nodev
        _syscall("mount_setattr", -100, str(target).encode(), 0x8000, attributes, len(attributes))


# --- landlock -----------------------------------------------------------------------------

READ = (1 << 0) | (1 << 2) | (1 << 3)  # execute, read file, read folder
ALL_V1 = (1 << 13) - 1
FILES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 8)  # write and read them, list the folder, make them; no folder, no link
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15


def landlock_version():
    """The kernel's Landlock ABI, 0 where it has none."""
    found = libc.syscall(ctypes.c_long(number("landlock_create_ruleset")), None, ctypes.c_size_t(0), ctypes.c_uint(1))
    return max(found, 0)


def landlock(scratch):
    """Allow reading `visible_paths`, and plain files in `scratch`; signals and sockets stay inside where the ABI can."""
    version = landlock_version()
    if not version:
        raise Refused(0, "landlock: the kernel has none")
    files = ALL_V1 | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0) | (IOCTL_DEV if version >= 5 else 0)
    network = 3 if version >= 4 else 0  # TCP bind and connect; seccomp refuses other sockets
    scoped = 3 if version >= 6 else 0  # abstract sockets, signals
    attributes = struct.pack("QQQ", files, network, scoped)[:8 * (1 + (version >= 4) + (version >= 6))]
    ruleset = _syscall("landlock_create_ruleset", attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    for path in visible_paths():
        _allow_but(ruleset, path, installed_package())
    for name in ("/dev/null", "/dev/zero", "/dev/urandom"):
        _allow(ruleset, Path(name), (1 << 1) | (1 << 2))
    _allow(ruleset, scratch, files & (FILES | TRUNCATE))
    _no_new_privileges()
    _syscall("landlock_restrict_self", ruleset, ctypes.c_uint(0))
    os.close(ruleset)
    os.chdir(scratch)


def _allow_but(ruleset, path, hidden):
    """Allow reading `path` without `hidden` below it: of the folders on the way only the names."""
    if path == hidden:
        return
    if path not in hidden.parents:
        _allow(ruleset, path, READ if path.is_dir() else 1 << 2)
        return
    _allow(ruleset, path, 1 << 3)
    for entry in path.iterdir():
        if not entry.is_symlink():
            _allow_but(ruleset, entry, hidden)


def _allow(ruleset, path, rights):
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", rights, handle)
    _syscall("landlock_add_rule", ruleset, ctypes.c_int(1), rule, ctypes.c_uint(0))
    os.close(handle)


# --- what both rungs end with --------------------------------------------------------------


def _no_new_privileges():
    _call("no_new_privs", libc.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def limit_resources(cpu_s, processes):
    """Limits on files, processes and CPU. Never RLIMIT_AS: torch maps far more than it uses."""
    for what, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, FILE_BYTES), (resource.RLIMIT_NOFILE, 256),
                        (resource.RLIMIT_CPU, cpu_s), (resource.RLIMIT_MSGQUEUE, 0), (resource.RLIMIT_MEMLOCK, 0)):
        resource.setrlimit(what, (value, value))
    if processes:
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))


def drop_privileges(own_user):
    """Become `own_user`, without capabilities, for good. Where strangers cannot read Python, stay, without capabilities."""
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if os.getuid() == 0 and _nobody_can_read(Path(sys.base_prefix)):
        os.setgroups([])
        try:
            _become(own_user)
        except OSError:  # the container has no such number
            _become(NOBODY)
    header, none = struct.pack("Ii", 0x20080522, 0), bytes(24)
    _syscall("capset", header, none)
    _no_new_privileges()


def _become(user):
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _nobody_can_read(path):
    return all(p.stat().st_mode & 0o001 for p in (path, *path.parents))


def seccomp(denied):
    """Refuse the system calls in `denied` with EPERM: names, or (name, argument, test, value)."""
    _, arch = ARCHES[platform.machine()]
    program = [(LOAD, 0, 0, 4), (EQUAL[0], 1, 0, arch), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    program += [(0x35, 0, 1, 0x40000000), (RETURN, 0, 0, KILL)]  # the x32 numbers
    program += [(*EQUAL, number("clone3")), (RETURN, 0, 0, ENOSYS)]  # its flags lie in memory; libc falls back to clone
    program += [line for rule in denied for line in _refuse(*([rule] if isinstance(rule, str) else rule))]
    program += [(RETURN, 0, 0, ALLOW)]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    _call("seccomp", libc.prctl, PR_SET_SECCOMP, 2, header, 0, 0)


LOAD, RETURN = 0x20, 0x06
ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000


def _refuse(name, argument=None, test=None, value=None):
    """The filter's lines for one rule; the number of the system call is loaded before and after."""
    if number(name) < 0:
        return []
    if argument is None:
        return [(*EQUAL, number(name)), (RETURN, 0, 0, EPERM)]
    return [(EQUAL[0], 0, 4, number(name)), (LOAD, 0, 0, 16 + 8 * argument), (*test, value), (RETURN, 0, 0, EPERM), (LOAD, 0, 0, 0)]


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
