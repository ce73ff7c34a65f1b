"""Refuses the system calls that decoding and recognition do not need, in this process and all its threads.

It lists refused calls instead of allowed ones, because libraries differ in the harmless calls that they make. A refused
call fails with EPERM. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True)
class Machine:
    """An architecture: its identifier in the kernel's data, its number of `seccomp`, and its column in the tables."""

    identifier: int
    seccomp: int
    column: int


MACHINES = {"x86_64": Machine(0xC000003E, 317, 0), "aarch64": Machine(0xC00000B7, 277, 1)}

# The numbers of a system call on x86_64 and on aarch64; None if an architecture does not have it.
Numbers = tuple[int | None, int | None]

REFUSED: dict[str, Numbers] = {
    # The network, and rings through which the kernel would do what is refused here.
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # Programs and other processes.
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "kcmp": (312, 272),
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "migrate_pages": (256, 238), "move_pages": (279, 239),
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    # Memory and messages that processes share.
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semctl": (66, 191),
    "semop": (65, 193), "semtimedop": (220, 192), "msgget": (68, 186), "msgctl": (71, 187), "msgsnd": (69, 189),
    "msgrcv": (70, 188), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # Changes of files and folders.
    "creat": (85, None), "truncate": (76, 45), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "link": (86, None), "linkat": (265, 37),
    "symlink": (88, None), "symlinkat": (266, 36), "unlink": (87, None), "unlinkat": (263, 35),
    "mknod": (133, None), "mknodat": (259, 33), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463), "removexattrat": (466, 466),
    "file_setattr": (469, 469), "open_by_handle_at": (304, 265),
    # The kernel, its namespaces and its keys.
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "syslog": (103, 116),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "acct": (163, 89), "quotactl": (179, 60), "sethostname": (170, 161), "setdomainname": (171, 162),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "personality": (135, 92),
}  # fmt: skip

# The arguments of these calls are in memory, where a filter cannot read them. As if the kernel did not have them, the C
# library makes the calls below instead.
ABSENT: dict[str, Numbers] = {"clone3": (435, 435), "openat2": (437, 437)}


class Unless(Enum):
    """When a call in `CONDITIONAL` is allowed."""

    HAS_NO_BIT = auto()
    HAS_A_BIT = auto()
    EQUALS = auto()


OWN_PROCESS = -1
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CLONE_THREAD = 0x10000

# These calls are refused unless the argument with this index is as stated.
CONDITIONAL: dict[str, tuple[Numbers, int, Unless, int]] = {
    "open": ((2, None), 1, Unless.HAS_NO_BIT, WRITING),
    "openat": ((257, 56), 2, Unless.HAS_NO_BIT, WRITING),
    "clone": ((56, 220), 0, Unless.HAS_A_BIT, CLONE_THREAD),
    "tgkill": ((234, 131), 0, Unless.EQUALS, OWN_PROCESS),
    "prlimit64": ((302, 261), 0, Unless.EQUALS, 0),
    "sched_setaffinity": ((203, 122), 0, Unless.EQUALS, 0),
}

INSTRUCTION_BYTES = 8
LOAD, RETURN = 0x20, 0x06
JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_ANY_BIT = 0x15, 0x35, 0x45
KILL_PROCESS, REFUSE, ALLOW = 0x8000_0000, 0x0005_0000 | errno.EPERM, 0x7FFF_0000
ANSWER_ABSENT = 0x0005_0000 | errno.ENOSYS
# Offsets in `struct seccomp_data`. Of an argument, the lower half, where both architectures put it first.
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16
# The calls of another kind of program on x86_64 begin here.
X32_CALLS = 0x4000_0000

SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC = 1, 1


def refuse_system_calls() -> bool:
    """Refuse the listed calls from now on. Return False if this system has no filters, or does not permit one.

    The process must have given up new privileges before.
    """
    machine = MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None or sys.maxsize < 2**32:
        return False
    instructions = ctypes.create_string_buffer(_program(machine))
    program = struct.pack("HP", len(instructions) // INSTRUCTION_BYTES, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(machine.seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program) == 0)


def _program(machine: Machine) -> bytes:
    """Return the filter's instructions, which the kernel runs at each call."""
    steps = [(LOAD, 0, 0, MACHINE), (JUMP_IF_EQUAL, 1, 0, machine.identifier), (RETURN, 0, 0, KILL_PROCESS)]
    steps += [(LOAD, 0, 0, NUMBER), (JUMP_IF_AT_LEAST, 0, 1, X32_CALLS), (RETURN, 0, 0, REFUSE)]
    for numbers, index, unless, value in CONDITIONAL.values():
        number = numbers[machine.column]
        if number is not None:
            steps += [(JUMP_IF_EQUAL, 0, 4, number), (LOAD, 0, 0, ARGUMENTS + 8 * index), *_test(unless, value)]
    for answer, calls in ((ANSWER_ABSENT, ABSENT), (REFUSE, REFUSED)):
        for call in calls.values():
            number = call[machine.column]
            if number is not None:
                steps += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, answer)]
    steps += [(RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _test(unless: Unless, value: int) -> list[tuple[int, int, int, int]]:
    """Return the three instructions that test the loaded argument, and allow or refuse."""
    jump = JUMP_IF_EQUAL if unless is Unless.EQUALS else JUMP_IF_ANY_BIT
    operand = os.getpid() if value == OWN_PROCESS else value
    first, second = (REFUSE, ALLOW) if unless is Unless.HAS_NO_BIT else (ALLOW, REFUSE)
    return [(jump, 0, 1, operand), (RETURN, 0, 0, first), (RETURN, 0, 0, second)]
