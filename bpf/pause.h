/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * Who keeps a process from running: the freezer, or a signal. A change is an
 * event; what a row says at a read is looked up in the kernel's own state, so
 * an event that is lost does no harm. An event is stamped after that state has
 * changed: a read that begins later has it, too.
 */
#ifndef SOLISTEND_PAUSE_H
#define SOLISTEND_PAUSE_H

#include "describe.h"
#include "publish.h"

static __always_inline bool has_children(struct task_struct *leader)
{
	return (void *)BPF_CORE_READ(leader, children.next) !=
	       (void *)leader + bpf_core_field_offset(struct task_struct, children);
}

static __always_inline bool is_frozen(struct row *row)
{
	struct cgroup *cgroup = (struct cgroup *)row->cgroup;

	/* the memory may be something else by now; ids are not used twice */
	return BPF_CORE_READ(cgroup, kn, id) == row->rec.cgroup &&
	       BPF_CORE_READ(cgroup, flags) & (1UL << CGRP_FROZEN);
}

/* whether the process that opened the socket is still there: what became of it says nothing of who has it now */
static __always_inline bool has_opener(struct row *row)
{
	struct task_struct *leader = (struct task_struct *)row->task;

	return BPF_CORE_READ(leader, tgid) == row->rec.pid && BPF_CORE_READ(leader, start_time) == row->started &&
	       !BPF_CORE_READ(leader, exit_state);
}

/* also by what is not told: SIGTSTP and its like, or before we were attached */
static __always_inline bool is_stopped(struct row *row)
{
	struct task_struct *leader = (struct task_struct *)row->task;
	__u32 pid = row->rec.pid;

	if (!has_opener(row))
		return false;
	if (bpf_map_lookup_elem(&stopped, &pid))
		return true;
	return BPF_CORE_READ(leader, signal, flags) & SIGNAL_STOP_STOPPED && !has_children(leader);
}

static __always_inline __u8 paused_by(struct row *row)
{
	if (is_frozen(row))
		return PAUSED_BY_FREEZER;
	return is_stopped(row) ? PAUSED_BY_SIGNAL : 0;
}

static __always_inline void tell_signal(struct task_struct *task, __u8 kind)
{
	struct net *net = BPF_CORE_READ(task, nsproxy, net_ns);
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct record rec = {};

	rec.version = RECORD_VERSION;
	rec.kind = kind;
	rec.paused = PAUSED_BY_SIGNAL;
	rec.at_ns = bpf_ktime_get_boot_ns();
	describe_net(&rec, net, false);
	describe_task(&rec, leader, cgroup_of(leader, false), false);
	publish(&rec, (__u64)net);
}

/*
 * A process that has children may have workers that share its socket and go on
 * accepting: its stop says nothing then. Only the children of its first thread
 * are known. Who gets the signal once more is not told of twice.
 */
static __always_inline void got_sigstop(struct task_struct *task)
{
	__u32 pid = BPF_CORE_READ(task, tgid);
	__u8 known = 1;

	if (!bpf_map_lookup_elem(&stop_targets, &pid) || has_children(BPF_CORE_READ(task, group_leader)))
		return;
	if (!bpf_map_update_elem(&stopped, &pid, &known, BPF_NOEXIST))
		tell_signal(task, RECORD_PAUSED);
}

/* It acts when it is sent, whatever the process does with it: handle, ignore or block. */
static __always_inline void got_sigcont(struct task_struct *task)
{
	__u32 pid = BPF_CORE_READ(task, tgid);

	if (!bpf_map_lookup_elem(&stop_targets, &pid))
		return;
	if (!bpf_map_delete_elem(&stopped, &pid) || BPF_CORE_READ(task, signal, flags) & SIGNAL_CLD_MASK)
		tell_signal(task, RECORD_RESUMED);
}

/*
 * Runs when all of a cgroup is frozen, or no longer: each cgroup below one that
 * is frozen is told of apart. Optional: without it only reads find out.
 */
SEC("tp_btf/cgroup_notify_frozen")
int BPF_PROG(watch_freezer, struct cgroup *cgroup, const char *path, int frozen)
{
	struct record rec = {};

	rec.cgroup = BPF_CORE_READ(cgroup, kn, id);
	if (!bpf_map_lookup_elem(&freeze_targets, &rec.cgroup))
		return 0;
	rec.version = RECORD_VERSION;
	rec.kind = frozen ? RECORD_PAUSED : RECORD_RESUMED;
	rec.paused = PAUSED_BY_FREEZER;
	rec.at_ns = bpf_ktime_get_boot_ns();
	publish(&rec, rec.cgroup);
	return 0;
}

#endif
