/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * A second listen() with another backlog: it changes no state, so it takes a
 * look at the end of inet_listen. Optional: without it the next read finds it.
 */
#ifndef SOLISTEND_RELISTEN_H
#define SOLISTEND_RELISTEN_H

#include "describe.h"
#include "publish.h"

/* sockets inside of inet_listen, by thread: a kretprobe has no arguments */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} in_listen SEC(".maps");

static __always_inline void listened(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct record rec;
	struct row *row;
	__u32 backlog;

	row = bpf_map_lookup_elem(&listeners, &key);
	if (!row || !is_same_socket(row, sk))
		return;
	backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
	/* the first listen() comes here with what the tracepoint has told */
	if (backlog == row->rec.backlog)
		return;
	/* the row first, and its time stays: it listens since then */
	row->rec.backlog = backlog;
	if (!row->rec.port)
		row->rec.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	__builtin_memcpy(&rec, &row->rec, sizeof(rec));
	rec.kind = RECORD_RELISTEN;
	rec.paused = 0;
	rec.at_ns = bpf_ktime_get_boot_ns();
	publish(&rec, (__u64)net_of(sk, false));
}

SEC("fexit/inet_listen")
int BPF_PROG(watch_relisten, struct socket *socket, int backlog, int result)
{
	if (!result)
		listened(socket->sk);
	return 0;
}

SEC("kprobe/inet_listen")
int enter_listen(struct pt_regs *ctx)
{
	struct pt_regs___arm64 *arm64 = (void *)ctx;
	struct pt_regs___x86 *x86 = (void *)ctx;
	__u64 thread = bpf_get_current_pid_tgid();
	struct socket *socket;
	__u64 sk;

	if (bpf_core_field_exists(x86->di))
		socket = (struct socket *)BPF_CORE_READ(x86, di);
	else
		socket = (struct socket *)BPF_CORE_READ(arm64, regs[0]);
	sk = (__u64)BPF_CORE_READ(socket, sk);
	bpf_map_update_elem(&in_listen, &thread, &sk, BPF_ANY);
	return 0;
}

SEC("kretprobe/inet_listen")
int leave_listen(struct pt_regs *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u64 *sk = bpf_map_lookup_elem(&in_listen, &thread);

	if (!sk)
		return 0;
	listened((struct sock *)*sk);
	bpf_map_delete_elem(&in_listen, &thread);
	return 0;
}

#endif
