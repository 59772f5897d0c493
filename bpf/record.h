/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What crosses from the kernel to user space. src/sensor/record.ts decodes it;
 * a test holds the offsets of both against each other through the object's BTF.
 */
#ifndef SOLISTEND_RECORD_H
#define SOLISTEND_RECORD_H

#define RECORD_VERSION 3

enum record_kind {
	RECORD_LISTEN = 1,
	RECORD_CLOSE = 2,
	RECORD_STOPPING = 3,
	RECORD_PAUSED = 4,
	RECORD_RESUMED = 5,
	RECORD_RELISTEN = 6,
	RECORD_LIMITED = 7,
};

enum paused_by {
	PAUSED_BY_FREEZER = 1,
	PAUSED_BY_SIGNAL = 2,
};

/*
 * One change of one listening socket; also the start of a row of `listeners`.
 * Or something that happens to a process (stopping, paused and resumed by a
 * signal) or to a cgroup (by the freezer): then what tells of a socket is 0. Or
 * a namespace that is limited: then only time and namespace count.
 */
struct record {
	__u8 version;
	__u8 kind;
	__u8 family;		/* AF_INET or AF_INET6 */
	__u8 ipv6only;
	__u16 port;		/* host order; 0 until the kernel has chosen one */
	__u16 protocol;		/* IPPROTO_TCP or IPPROTO_MPTCP */
	__u32 backlog;
	__u32 pid;		/* thread group, in the initial pid namespace */
	__u32 netns;		/* inode number of the socket's namespace */
	__u32 task_netns;	/* and of the process's; they can differ */
	__u32 cpu;
	__u32 pidns;		/* inode number of the process's pid namespace */
	__u64 at_ns;		/* bpf_ktime_get_boot_ns() */
	__u64 cookie;		/* of the socket */
	__u64 netns_cookie;
	__u64 cgroup;		/* id of the process's cgroup (v2) */
	__u8 addr[16];		/* IPv4 in the first four bytes */
	char comm[16];
	char hostname[65];	/* UTS node name */
	__u8 signal;		/* number of the stop signal */
	__u8 is_init;		/* first process of a pid namespace below the host's */
	__u8 paused;		/* who pauses or resumes (enum paused_by); of a row: who keeps it, or 0 */
	__u8 pad0[4];
};

/* How many records were lost, by reason; only ever grows. */
struct losses {
	__u64 ring_full;	/* no room in the ring buffer: an event was dropped */
	__u64 table_full;	/* no room in `listeners`: a row is missing there */
	__u64 limited;		/* a namespace was over its rate: an event was dropped */
};

/* What `full_queues` writes of each listener whose accept queue is full. */
struct full_queue {
	__u64 cookie;		/* of the socket */
	__u64 head;		/* stands for the first connection that waits */
	__u32 queued;
	__u32 backlog;
};

#endif
