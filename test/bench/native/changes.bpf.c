// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Counts what the sensor has to tell: listeners that come and go on this machine. It hands nothing on, so it has nothing to
 * lose: a second opinion, of an object of its own, on what bpf/solistend.bpf.c made of the same moments. Whose they are it
 * does not say: a file that another process happens to look at is closed by that one.
 */
#include "../../../bpf/kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} changes SEC(".maps");

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(count_changes, struct sock *sk, int from, int to)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&changes, &zero);

	if (!count || (from == TCP_LISTEN) == (to == TCP_LISTEN))
		return 0;
	/* any other state after LISTEN is that of a connection it accepted */
	if ((from == TCP_LISTEN && to != TCP_CLOSE) || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	__sync_fetch_and_add(count, 1);
	return 0;
}
