/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The walks that user space starts: over open files once, over `listeners` before each read. */
#ifndef SOLISTEND_READS_H
#define SOLISTEND_READS_H

#include "describe.h"
#include "pause.h"

/*
 * Adds a socket that listens, unless it is known.
 * at_ns: taken before its state was read, so that any change since is newer
 */
static __always_inline void found(struct sock *sk, __u64 identity, __u64 at_ns, struct task_struct *task)
{
	__u64 key = (__u64)sk;
	struct row row = {};
	struct row *there;

	row.rec.kind = RECORD_LISTEN;
	row.rec.at_ns = at_ns;
	row.rec.cookie = identity;
	describe_socket(&row.rec, sk, false);
	describe_opener(&row, task, false);

	if (bpf_map_update_elem(&listeners, &key, &row, BPF_NOEXIST)) {
		/* most likely the row is there already; if not, the map is full */
		if (!bpf_map_lookup_elem(&listeners, &key))
			count_table_full();
		return;
	}
	remember_targets(&row.rec);
	/*
	 * It closed while we looked, or just before: the kernel stores the
	 * state after the tracepoint. A later LISTEN takes the tombstone away.
	 */
	if (bpf_map_lookup_elem(&tombstones, &key)) {
		there = bpf_map_lookup_elem(&listeners, &key);
		if (there && there->rec.at_ns == at_ns)
			bpf_map_delete_elem(&listeners, &key);
	}
}

static __always_inline bool listens(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN && (family == AF_INET || family == AF_INET6);
}

/* NULL where the file is no socket */
static __always_inline struct socket *socket_of(struct file *file)
{
	/* before 5.11 as the kernel itself would tell; the result has no type then, which only the cookie needs */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_sock_from_file))
		return bpf_sock_from_file(file);
	if (file->f_inode->i_sb->s_magic != SOCKFS_MAGIC)
		return NULL;
	return file->private_data;
}

static __always_inline struct sock *sock_of(struct socket *socket)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_sock_from_file))
		return socket->sk;
	return BPF_CORE_READ(socket, sk);
}

/* Fills `listeners` with what listened before we were attached, but for MPTCP. */
SEC("iter/task_file")
int seed_tcp(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;
	__u64 at_ns;

	if (!task || !file)
		return 0;
	socket = socket_of(file);
	if (!socket)
		return 0;
	sk = sock_of(socket);
	if (!sk)
		return 0;
	at_ns = bpf_ktime_get_boot_ns();
	if (listens(sk) && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP)
		found(sk, identity_of(sk), at_ns, task);
	return 0;
}

/*
 * The same, with MPTCP: there the file leads to the outer socket, and that to
 * the subflow. Optional, since it names a type that not every kernel has.
 */
SEC("iter/task_file")
int seed(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct mptcp_sock *outer;
	struct socket *socket;
	__u64 identity;
	struct sock *sk;
	__u64 at_ns;

	if (!task || !file)
		return 0;
	socket = socket_of(file);
	if (!socket)
		return 0;
	sk = sock_of(socket);
	if (!sk)
		return 0;
	at_ns = bpf_ktime_get_boot_ns();
	if (!listens(sk))
		return 0;
	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP) {
		found(sk, identity_of(sk), at_ns, task);
		return 0;
	}
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_MPTCP)
		return 0;
	outer = (struct mptcp_sock *)sk;
	sk = BPF_CORE_READ(outer, first);
	/* the pointer has no type, so no cookie can be made: the one that is there, or the address */
	identity = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	if (!identity)
		identity = (__u64)sk;
	if (sk && listens(sk))
		found(sk, identity, at_ns, task);
	return 0;
}

/* whether the socket that a row tells of is still there, and listens */
static __always_inline bool still_listens(struct row *row, struct sock *sk)
{
	/* the memory may be another socket's by now */
	return is_same_socket(row, sk) && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
}

/*
 * Walks `listeners` before each read of it: stamps when the read began, and
 * brings in what changed without a state change: the port of a listen without
 * bind, the backlog of a second listen(), what keeps the process from running.
 * Targets that were forgotten under pressure are remembered again.
 */
SEC("iter/bpf_map_elem")
int refresh(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *key = ctx->key;
	struct row *row = ctx->value;
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
	/* its close may have been passed over (see `missed` in src/sensor/losses.ts); for a moment it is so when one opens, too */
	if (!still_listens(row, sk)) {
		row->rec.kind = RECORD_CLOSE;
		return 0;
	}
	row->rec.kind = RECORD_LISTEN;
	if (!row->rec.port)
		row->rec.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	row->rec.backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
	row->rec.paused = paused_by(row);
	remember_targets(&row->rec);
	return 0;
}

/* Walks `listeners` and writes those whose accept queue is full, as the kernel judges it (sk_acceptq_is_full). */
SEC("iter/bpf_map_elem")
int full_queues(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *key = ctx->key;
	struct row *row = ctx->value;
	struct full_queue full = {};
	struct request_sock___head *head;
	struct inet_connection_sock *icsk;
	struct sock *sk;

	if (!key || !row)
		return 0;
	sk = (struct sock *)*key;
	full.queued = BPF_CORE_READ(sk, sk_ack_backlog);
	full.backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
	if (full.queued <= full.backlog || !still_listens(row, sk))
		return 0;
	icsk = (struct inet_connection_sock *)sk;
	head = (void *)BPF_CORE_READ(icsk, icsk_accept_queue.rskq_accept_head);
	full.cookie = row->rec.cookie;
	/* the next one at the same address hardly comes from the same port */
	full.head = (__u64)head ^ (__u64)BPF_CORE_READ(head, __req_common.skc_dport) << 48;
	bpf_seq_write(ctx->meta->seq, &full, sizeof(full));
	return 0;
}

#endif
