/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * The few kernel types that the programs read, each with only the fields used.
 * CO-RE relocates every access to the running kernel's layout, so neither the
 * order nor the offsets here matter, and no generated vmlinux.h is needed.
 */
#ifndef SOLISTEND_KERNEL_H
#define SOLISTEND_KERNEL_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

#define NULL ((void *)0)
#define true 1
#define false 0

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};

/*
 * include/uapi/linux/bpf.h: marks of the version that brought something along;
 * check_mtu came with bpf_get_socket_cookie for tracing programs (5.12).
 */
enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158,
	BPF_FUNC_sock_from_file = 162,
	BPF_FUNC_check_mtu = 163,
};

/* include/uapi/linux/magic.h */
#define SOCKFS_MAGIC 0x534F434B

/* include/net/tcp_states.h */
enum {
	TCP_CLOSE = 7,
	TCP_LISTEN = 10,
};

/* include/trace/events/signal.h */
enum {
	TRACE_SIGNAL_DELIVERED = 0,
};

/* include/uapi/asm-generic/signal.h; the same on all machines that BPF has a compiler for but alpha, mips and sparc */
enum {
	SIGCONT = 18,
	SIGSTOP = 19,
};

/* include/linux/sched/signal.h */
enum {
	SIGNAL_STOP_STOPPED = 0x1,
	/* just continued, or told to while it was about to stop */
	SIGNAL_CLD_MASK = 0x10 | 0x20,
};

/* include/linux/cgroup-defs.h: a bit number; the same since 5.2, and in an enum without a name, which CO-RE can't find */
enum {
	CGRP_FROZEN = 3,
};

/* include/linux/socket.h, include/uapi/linux/in.h */
enum {
	AF_INET = 2,
	AF_INET6 = 10,
	IPPROTO_TCP = 6,
	IPPROTO_MPTCP = 262,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
	__u64 net_cookie;
	__u32 hash_mix;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	__be32 skc_rcv_saddr;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	possible_net_t skc_net;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct sock {
	struct sock_common __sk_common;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct request_sock___head {
	struct sock_common___peer {
		__be16 skc_dport;
	} __req_common;
};

struct request_sock_queue {
	struct request_sock *rskq_accept_head;
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
};

struct tcp_sock {
	bool is_mptcp;
};

/* where the kernel has MPTCP */
struct mptcp_sock {
	struct sock *first;
};

struct new_utsname {
	char nodename[65];
};

struct uts_namespace {
	struct new_utsname name;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct net *net_ns;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	unsigned long flags;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct pid_namespace {
	unsigned int level;
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

/* one number in each namespace from the initial one down to its own */
struct pid {
	unsigned int level;
	struct upid numbers[];
};

struct list_head {
	struct list_head *next;
};

struct signal_struct {
	unsigned int flags;
};

struct task_struct {
	int tgid;
	__u64 start_time;
	int exit_state;
	struct list_head children;
	struct signal_struct *signal;
	char comm[16];
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

/* the registers, by machine */
struct pt_regs___x86 {
	unsigned long di;
};

struct pt_regs___arm64 {
	__u64 regs[31];
};

struct pt_regs;
struct seq_file;
struct kernel_siginfo;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#pragma clang attribute pop

#endif
