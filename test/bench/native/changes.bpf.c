// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Counts what the sensor has to tell: listeners that come and go, those of one process apart. It hands nothing on, so it has
 * nothing to lose: a second opinion, of its own object, on what bpf/solistend.bpf.c made of the same moments.
 */
#include "../../../bpf/kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct counts {
	__u64 of_one;
	__u64 of_others;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counts SEC(".maps");

/* whose are counted apart, by process id */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} one SEC(".maps");

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(count_changes, struct sock *sk, int from, int to)
{
	__u32 zero = 0, *pid = bpf_map_lookup_elem(&one, &zero);
	struct counts *all = bpf_map_lookup_elem(&counts, &zero);

	if (!pid || !all || (from == TCP_LISTEN) == (to == TCP_LISTEN))
		return 0;
	/* any other state after LISTEN is that of a connection it accepted */
	if ((from == TCP_LISTEN && to != TCP_CLOSE) || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (bpf_get_current_pid_tgid() >> 32 == *pid)
		__sync_fetch_and_add(&all->of_one, 1);
	else
		__sync_fetch_and_add(&all->of_others, 1);
	return 0;
}
