/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What the programs share: the maps, and counting what is lost. */
#ifndef SOLISTEND_MAPS_H
#define SOLISTEND_MAPS_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include "record.h"

#define MAX_LISTENERS 65536

/* changes, in the order in which they happened on all CPUs */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/*
 * A row of `listeners`. Process and cgroup are addresses: `refresh` looks there
 * whether they run, and whether they are still the same. User space reads the
 * record only.
 */
struct row {
	struct record rec;
	__u64 task;		/* the process's first thread */
	__u64 started;		/* and when that started */
	__u64 cgroup;
};

/* the truth: what listens now, by socket address */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_LISTENERS);
	__type(key, __u64);
	__type(value, struct row);
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

/* cgroups whose freezing is told: those that a process lived in when it called listen() */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u8);
} freeze_targets SEC(".maps");

/* processes that got SIGSTOP, and no SIGCONT since: they need not have stopped yet */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u8);
} stopped SEC(".maps");

/* for what is rarely there: a look takes no lock, as a deletion in vain does */
static __always_inline void forget(void *map, void *key)
{
	if (bpf_map_lookup_elem(map, key))
		bpf_map_delete_elem(map, key);
}

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

static __always_inline void count_limited(void)
{
	struct losses *l = lost();

	if (l)
		__sync_fetch_and_add(&l->limited, 1);
}

#endif
