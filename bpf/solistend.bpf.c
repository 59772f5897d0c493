// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Every TCP listen() and close on the host, in any network namespace, as a
 * record in a ring buffer, and all sockets that listen now as rows of a hash.
 * What stops and pauses the processes that listen, as records too.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "record.h"
#include "maps.h"
#include "describe.h"
#include "publish.h"
/* programs are loaded in this order: those that a kernel refuses, first, cost the least */
#include "relisten.h"
#include "pause.h"
#include "reads.h"

#define MAX_SIGNAL 64

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* which build this is, read from the file before it is loaded: src/sensor/object-file.ts */
const __u32 build[] SEC(".rodata.build") __attribute__((used)) = {
	RECORD_VERSION, sizeof(struct record), sizeof(struct row), sizeof(struct losses),
};

static __always_inline void opened(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct row row = {};

	row.rec.kind = RECORD_LISTEN;
	row.rec.at_ns = bpf_ktime_get_boot_ns();
	row.rec.cookie = identity_of(sk);
	describe_socket(&row.rec, sk, true);
	/* before 5.11 there is only the one that the verifier has no type for */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		describe_opener(&row, bpf_get_current_task_btf(), true);
	else
		describe_opener(&row, (struct task_struct *)bpf_get_current_task(), false);
	remember_targets(&row.rec);
	/* whoever was stopped by that number is gone: this one runs */
	forget(&stopped, &row.rec.pid);

	/* the row first: whatever happens to the event, a read finds it */
	forget(&tombstones, &key);
	if (bpf_map_update_elem(&listeners, &key, &row, BPF_ANY))
		count_table_full();
	publish(&row.rec, (__u64)net_of(sk, true));
}

static __always_inline void closed(struct sock *sk)
{
	__u64 key = (__u64)sk;
	__u64 now = bpf_ktime_get_boot_ns();
	__u64 cookie = identity_of(sk);
	struct record rec = {};
	struct task_struct *task;
	struct row *row;

	/* the tombstone first: a seed that inserts after us must find it */
	bpf_map_update_elem(&tombstones, &key, &now, BPF_ANY);
	row = bpf_map_lookup_elem(&listeners, &key);
	if (row && (row->rec.cookie == cookie || row->rec.cookie == key)) {
		/* who opened it says more than who happens to close it */
		__builtin_memcpy(&rec, &row->rec, sizeof(rec));
		rec.paused = 0;
	} else {
		describe_socket(&rec, sk, true);
		task = (struct task_struct *)bpf_get_current_task();
		describe_task(&rec, task, cgroup_of(task, false), false);
		rec.cookie = cookie;
	}
	bpf_map_delete_elem(&listeners, &key);
	rec.kind = RECORD_CLOSE;
	rec.at_ns = now;
	publish(&rec, (__u64)net_of(sk, true));
}

static __always_inline void told_to_stop(struct task_struct *task, int sig)
{
	struct net *net = BPF_CORE_READ(task, nsproxy, net_ns);
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct record rec = {};

	rec.version = RECORD_VERSION;
	rec.kind = RECORD_STOPPING;
	rec.signal = sig;
	rec.at_ns = bpf_ktime_get_boot_ns();
	describe_net(&rec, net, false);
	describe_task(&rec, leader, cgroup_of(leader, false), false);
	if (bpf_map_lookup_elem(&stop_targets, &rec.pid) ||
	    (rec.is_init && bpf_map_lookup_elem(&stop_targets, &rec.pidns)))
		publish(&rec, (__u64)net);
}

/*
 * Runs at every TCP state change on the host, so it decides at once. LISTEN to
 * SYN_RECV is an accepted connection, cloned from its listener: not a close. Of
 * an MPTCP socket only the subflow is told: it has the backlog and the queue.
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
	if (sk->sk_protocol != IPPROTO_TCP)
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

	if (sig == SIGCONT)
		got_sigcont(task);
	/* else it is ignored, or one is pending already */
	if (result != TRACE_SIGNAL_DELIVERED || sig < 1 || sig > MAX_SIGNAL)
		return 0;
	if (sig == SIGSTOP)
		got_sigstop(task);
	mask = bpf_map_lookup_elem(&stop_signals, &zero);
	if (mask && *mask & (1ULL << (sig - 1)))
		told_to_stop(task, sig);
	return 0;
}
