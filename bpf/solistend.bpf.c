// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Every TCP listen() and close on the host, in any network namespace, as a
 * record in a ring buffer, and all sockets that listen now as rows of a hash.
 * Stop signals to the processes that listen, as records too.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "record.h"

#define MAX_LISTENERS 65536
#define MAX_SIGNAL 64

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* changes, in the order in which they happened on all CPUs */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* the truth: what listens now, by socket address */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_LISTENERS);
	__type(key, __u64);
	__type(value, struct record);
} listeners SEC(".maps");

/* sockets that closed lately, so that a slower seed does not revive them */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} tombstones SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct losses);
} losses SEC(".maps");

/* when the last walk of `refresh` began */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} read_began SEC(".maps");

/* signals that are told, as a mask: bit N - 1 stands for signal N */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} stop_signals SEC(".maps");

/*
 * Whose stop signals are told: processes that called listen(), by thread group,
 * and pid namespaces that such a process lives in, by inode number. The two
 * can't meet: the kernel numbers namespaces from 0xF0000000 on, and processes
 * below 0x400000. What is forgotten under pressure comes back with a read.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} stop_targets SEC(".maps");

static __always_inline struct losses *lost(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&losses, &zero);
}

static __always_inline void count_ring_full(void)
{
	struct losses *l = lost();

	if (l)
		__sync_fetch_and_add(&l->ring_full, 1);
}

static __always_inline void count_table_full(void)
{
	struct losses *l = lost();

	if (l)
		__sync_fetch_and_add(&l->table_full, 1);
}

/* what the socket itself says */
static __always_inline void describe_socket(struct record *rec, struct sock *sk)
{
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);

	rec->version = RECORD_VERSION;
	rec->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	rec->ipv6only = BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only);
	rec->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	rec->protocol = BPF_CORE_READ(sk, sk_protocol);
	rec->backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
	rec->netns = BPF_CORE_READ(net, ns.inum);
	if (bpf_core_field_exists(net->net_cookie))
		rec->netns_cookie = BPF_CORE_READ(net, net_cookie);
	if (rec->family == AF_INET6)
		BPF_CORE_READ_INTO(&rec->addr, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
	else
		BPF_CORE_READ_INTO((__be32 *)rec->addr, sk, __sk_common.skc_rcv_saddr);
}

/* a task's number in its own pid namespace */
static __always_inline struct upid *own_number(struct pid *pid)
{
	/* the index is known only here, so the element is found by hand */
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	       BPF_CORE_READ(pid, level) * bpf_core_type_size(struct upid);
}

/* what is known of the process that listens, or is told to stop */
static __always_inline void describe_task(struct record *rec, struct task_struct *task)
{
	struct nsproxy *nsproxy = BPF_CORE_READ(task, nsproxy);
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid *number = own_number(pid);

	rec->pid = BPF_CORE_READ(task, tgid);
	rec->pidns = BPF_CORE_READ(number, ns, ns.inum);
	rec->is_init = BPF_CORE_READ(number, nr) == 1 && BPF_CORE_READ(pid, level) > 0;
	rec->task_netns = BPF_CORE_READ(nsproxy, net_ns, ns.inum);
	rec->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	BPF_CORE_READ_STR_INTO(&rec->comm, task, comm);
	BPF_CORE_READ_STR_INTO(&rec->hostname, nsproxy, uts_ns, name.nodename);
}

/* from now on stop signals to the process, or to the first one of its namespace, are told */
static __always_inline void remember_target(__u32 pid, __u32 pidns)
{
	__u8 known = 1;

	/* mostly they are known, and looking one up counts as a use of it, for a fifth of what writing costs */
	if (!bpf_map_lookup_elem(&stop_targets, &pid))
		bpf_map_update_elem(&stop_targets, &pid, &known, BPF_ANY);
	if (!bpf_map_lookup_elem(&stop_targets, &pidns))
		bpf_map_update_elem(&stop_targets, &pidns, &known, BPF_ANY);
}

static __always_inline void publish(struct record *rec)
{
	rec->cpu = bpf_get_smp_processor_id();
	if (bpf_ringbuf_output(&events, rec, sizeof(*rec), 0))
		count_ring_full();
}

static __always_inline void opened(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct record rec = {};

	rec.kind = RECORD_LISTEN;
	rec.at_ns = bpf_ktime_get_boot_ns();
	rec.cookie = bpf_get_socket_cookie(sk);
	describe_socket(&rec, sk);
	describe_task(&rec, (struct task_struct *)bpf_get_current_task());
	remember_target(rec.pid, rec.pidns);

	/* the row first: whatever happens to the event, a read finds it */
	bpf_map_delete_elem(&tombstones, &key);
	if (bpf_map_update_elem(&listeners, &key, &rec, BPF_ANY))
		count_table_full();
	publish(&rec);
}

static __always_inline void closed(struct sock *sk)
{
	__u64 key = (__u64)sk;
	__u64 now = bpf_ktime_get_boot_ns();
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct record rec = {};
	struct record *row;

	/* the tombstone first: a seed that inserts after us must find it */
	bpf_map_update_elem(&tombstones, &key, &now, BPF_ANY);
	row = bpf_map_lookup_elem(&listeners, &key);
	if (row && row->cookie == cookie) {
		/* who opened it says more than who happens to close it */
		__builtin_memcpy(&rec, row, sizeof(rec));
	} else {
		describe_socket(&rec, sk);
		describe_task(&rec, (struct task_struct *)bpf_get_current_task());
		rec.cookie = cookie;
	}
	bpf_map_delete_elem(&listeners, &key);
	rec.kind = RECORD_CLOSE;
	rec.at_ns = now;
	publish(&rec);
}

static __always_inline void told_to_stop(struct task_struct *task, int sig)
{
	struct record rec = {};

	rec.version = RECORD_VERSION;
	rec.kind = RECORD_STOPPING;
	rec.signal = sig;
	rec.at_ns = bpf_ktime_get_boot_ns();
	describe_task(&rec, BPF_CORE_READ(task, group_leader));
	if (bpf_map_lookup_elem(&stop_targets, &rec.pid) ||
	    (rec.is_init && bpf_map_lookup_elem(&stop_targets, &rec.pidns)))
		publish(&rec);
}

/*
 * Runs at every TCP state change on the host, so it decides at once. LISTEN to
 * SYN_RECV is an accepted connection, cloned from its listener: not a close.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(watch_state, struct sock *sk, int from, int to)
{
	if (to == TCP_LISTEN) {
		if (from == TCP_LISTEN)
			return 0;
	} else if (from != TCP_LISTEN || to != TCP_CLOSE) {
		return 0;
	}
	if (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_MPTCP)
		return 0;
	if (to == TCP_LISTEN)
		opened(sk);
	else
		closed(sk);
	return 0;
}

/*
 * Runs at every signal on the host, so it decides at once. Optional: without it
 * only closes are told. A signal to one thread counts as one to its process, as
 * the default action and most handlers take it.
 */
SEC("tp_btf/signal_generate")
int BPF_PROG(watch_signals, int sig, struct kernel_siginfo *info, struct task_struct *task, int group, int result)
{
	__u32 zero = 0;
	__u64 *mask;

	/* else it is ignored, or one is pending already */
	if (result != TRACE_SIGNAL_DELIVERED || sig < 1 || sig > MAX_SIGNAL)
		return 0;
	mask = bpf_map_lookup_elem(&stop_signals, &zero);
	if (mask && *mask & (1ULL << (sig - 1)))
		told_to_stop(task, sig);
	return 0;
}

/* Fills `listeners` with what listened before we were attached. */
SEC("iter/task_file")
int seed(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct record rec = {};
	struct record *row;
	struct socket *sock;
	struct sock *sk;
	__u64 key;

	if (!task || !file)
		return 0;
	sock = bpf_sock_from_file(file);
	if (!sock)
		return 0;
	sk = sock->sk;
	if (!sk)
		return 0;
	/* stamped before the state is read: any change from here on is newer */
	rec.at_ns = bpf_ktime_get_boot_ns();
	if (sk->__sk_common.skc_state != TCP_LISTEN)
		return 0;
	if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
		return 0;
	if (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_MPTCP)
		return 0;
	rec.kind = RECORD_LISTEN;
	rec.cookie = bpf_get_socket_cookie(sk);
	describe_socket(&rec, sk);
	describe_task(&rec, task);

	key = (__u64)sk;
	if (bpf_map_update_elem(&listeners, &key, &rec, BPF_NOEXIST)) {
		/* most likely the row is there already; if not, the map is full */
		if (!bpf_map_lookup_elem(&listeners, &key))
			count_table_full();
		return 0;
	}
	remember_target(rec.pid, rec.pidns);
	/*
	 * It closed while we looked, or just before: the kernel stores the
	 * state after the tracepoint. A later LISTEN takes the tombstone away.
	 */
	if (bpf_map_lookup_elem(&tombstones, &key)) {
		row = bpf_map_lookup_elem(&listeners, &key);
		if (row && row->at_ns == rec.at_ns)
			bpf_map_delete_elem(&listeners, &key);
	}
	return 0;
}

/*
 * Walks `listeners` before each read of it: stamps when the read began, and
 * brings in what changed without a state change: the port of a listen without
 * bind, the backlog of a second listen(). Targets of stop signals that were
 * forgotten under pressure are remembered again.
 */
SEC("iter/bpf_map_elem")
int refresh(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *key = ctx->key;
	struct record *row = ctx->value;
	__u32 zero = 0;
	struct sock *sk;
	__u64 now;

	if (ctx->meta->seq_num == 0) {
		now = bpf_ktime_get_boot_ns();
		bpf_map_update_elem(&read_began, &zero, &now, BPF_ANY);
	}
	if (!key || !row)
		return 0;
	sk = (struct sock *)*key;
	/* the memory may be another socket's by now */
	if (BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) != row->cookie)
		return 0;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		return 0;
	if (!row->port)
		row->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	row->backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
	remember_target(row->pid, row->pidns);
	return 0;
}
