/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What a socket and a process say of themselves. */
#ifndef SOLISTEND_DESCRIBE_H
#define SOLISTEND_DESCRIBE_H

#include "maps.h"
#include <bpf/bpf_core_read.h>

/*
 * BPF_CORE_READ, but with plain loads where the verifier knows the pointer's
 * type (typed, a constant): else each field is a call, and of those a listen()
 * would take two dozen.
 */
#define READ(typed, ...) ((typed) ? ___arrow(__VA_ARGS__) : BPF_CORE_READ(__VA_ARGS__))

/*
 * What stands for a socket for as long as it lives. Before 5.12 a tracing
 * program can't have the kernel make a cookie, and one that nobody asked for is
 * not there: then it is the address. That may be another socket's later, with a
 * newer time.
 */
static __always_inline __u64 identity_of(struct sock *sk)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_check_mtu))
		return bpf_get_socket_cookie(sk);
	return (__u64)sk;
}

/* whether a row is still that of the socket at its address, as far as one that may be gone can tell */
static __always_inline bool is_same_socket(struct row *row, struct sock *sk)
{
	return row->rec.cookie == (__u64)sk ||
	       row->rec.cookie == (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

/* the subflow in which an MPTCP socket listens: the backlog and the queue are there */
static __always_inline bool is_subflow(struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	return bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ(tp, is_mptcp);
}

static __always_inline struct net *net_of(struct sock *sk, bool typed)
{
	return READ(typed, sk, __sk_common.skc_net.net);
}

static __always_inline void describe_net(struct record *rec, struct net *net, bool typed)
{
	rec->netns = READ(typed, net, ns.inum);
	/* before 5.12 it is made when somebody asks: there, the random number that each namespace begins with */
	if (bpf_core_field_exists(net->net_cookie))
		rec->netns_cookie = READ(typed, net, net_cookie);
	else
		rec->netns_cookie = (__u64)READ(typed, net, hash_mix) << 32 | rec->netns;
}

/* what the socket itself says */
static __always_inline void describe_socket(struct record *rec, struct sock *sk, bool typed)
{
	rec->version = RECORD_VERSION;
	rec->family = READ(typed, sk, __sk_common.skc_family);
	rec->ipv6only = BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only);
	rec->port = READ(typed, sk, __sk_common.skc_num);
	rec->protocol = is_subflow(sk) ? IPPROTO_MPTCP : IPPROTO_TCP;
	rec->backlog = READ(typed, sk, sk_max_ack_backlog);
	describe_net(rec, net_of(sk, typed), typed);
	if (rec->family == AF_INET6)
		BPF_CORE_READ_INTO(&rec->addr, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
	else
		BPF_CORE_READ_INTO((__be32 *)rec->addr, sk, __sk_common.skc_rcv_saddr);
}

/* a task's number in its own pid namespace, which is so many below the initial one */
static __always_inline struct upid *own_number(struct pid *pid, unsigned int level)
{
	/* the index is known only here, so the element is found by hand */
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
}

static __always_inline struct cgroup *cgroup_of(struct task_struct *task, bool typed)
{
	return READ(typed, task, cgroups, dfl_cgrp);
}

/* what is known of the process that listens, or is told to stop */
static __always_inline void describe_task(struct record *rec, struct task_struct *task, struct cgroup *cgroup,
					  bool typed)
{
	struct nsproxy *nsproxy = READ(typed, task, nsproxy);
	struct pid *pid = READ(typed, task, thread_pid);
	unsigned int level = READ(typed, pid, level);
	struct upid *number = own_number(pid, level);

	rec->pid = READ(typed, task, tgid);
	rec->pidns = BPF_CORE_READ(number, ns, ns.inum);
	rec->is_init = level > 0 && BPF_CORE_READ(number, nr) == 1;
	rec->task_netns = READ(typed, nsproxy, net_ns, ns.inum);
	rec->cgroup = READ(typed, cgroup, kn, id);
	BPF_CORE_READ_STR_INTO(&rec->comm, task, comm);
	BPF_CORE_READ_STR_INTO(&rec->hostname, nsproxy, uts_ns, name.nodename);
}

/* a new row's process: what is told of it, and where to look later whether it runs */
static __always_inline void describe_opener(struct row *row, struct task_struct *task, bool typed)
{
	struct task_struct *leader = READ(typed, task, group_leader);
	struct cgroup *cgroup = cgroup_of(task, typed);

	describe_task(&row->rec, task, cgroup, typed);
	row->task = (__u64)leader;
	row->started = READ(typed, leader, start_time);
	row->cgroup = (__u64)cgroup;
}

/* a look counts as use, too, for a fifth of what an update costs */
static __always_inline void remember(void *map, void *key)
{
	__u8 known = 1;

	if (!bpf_map_lookup_elem(map, key))
		bpf_map_update_elem(map, key, &known, BPF_ANY);
}

/* from now on it is told when the process, the first one of its pid namespace, or its cgroup is stopped or paused */
static __always_inline void remember_targets(struct record *rec)
{
	/* on the stack: 5.10 takes no key out of the row that an iterator is at */
	__u32 pid = rec->pid, pidns = rec->pidns;
	__u64 cgroup = rec->cgroup;

	remember(&stop_targets, &pid);
	remember(&stop_targets, &pidns);
	remember(&freeze_targets, &cgroup);
}

#endif
