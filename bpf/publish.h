/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * How a record goes out: into the ring buffer, or counted as lost. Each network
 * namespace has a rate, so that one can't fill the buffer for all others.
 */
#ifndef SOLISTEND_PUBLISH_H
#define SOLISTEND_PUBLISH_H

#include "maps.h"

/*
 * Far more than an application that works does. 4,000 records at once are two
 * thirds of the buffer, so what others tell meanwhile finds room; and 2,000 a
 * second are a fiftieth of what the watcher takes in on one core.
 */
#define RATE_PER_S 2000
#define BURST 4000
#define RECORD_NS (1000000000ULL / RATE_PER_S)

/* between two marks of a namespace that is limited; src/sensor/sensor.ts looks again after that */
#define MARK_NS 100000000ULL

struct bucket {
	__u64 full_ns;		/* when it will be full again */
	__u64 marked_ns;	/* when it was last told to be empty */
};

/* by the address of the namespace, or the id of the cgroup where the freezer speaks: ids are far smaller */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct bucket);
} buckets SEC(".maps");

/* NULL only when the map can't take it: then nothing is limited */
static __always_inline struct bucket *bucket_of(__u64 owner)
{
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &owner);
	struct bucket full = {};

	if (bucket)
		return bucket;
	bpf_map_update_elem(&buckets, &owner, &full, BPF_NOEXIST);
	return bpf_map_lookup_elem(&buckets, &owner);
}

/*
 * Two CPUs may both take what is left for one: without a lock, which these
 * programs can't have, the rate is exceeded by as many as there are CPUs.
 */
static __always_inline bool take_one(struct bucket *bucket, __u64 now)
{
	__u64 full_ns = bucket->full_ns;

	if (full_ns < now)
		full_ns = now;
	if (full_ns - now > (BURST - 1) * RECORD_NS)
		return false;
	bucket->full_ns = full_ns + RECORD_NS;
	return true;
}

static __always_inline bool mark_is_due(struct bucket *bucket, __u64 now)
{
	/* a stamp from another CPU may be a little newer than ours */
	if (now < bucket->marked_ns + MARK_NS)
		return false;
	bucket->marked_ns = now;
	return true;
}

/* owner: whose rate it counts to */
static __always_inline void publish(struct record *rec, __u64 owner)
{
	struct bucket *bucket = bucket_of(owner);

	if (bucket && !take_one(bucket, rec->at_ns)) {
		count_limited();
		if (!mark_is_due(bucket, rec->at_ns))
			return;
		/* in its place, now and then, that others are missing */
		rec->kind = RECORD_LIMITED;
	}
	rec->cpu = bpf_get_smp_processor_id();
	/* a mark that finds no room is no event: what it stands for is counted already */
	if (bpf_ringbuf_output(&events, rec, sizeof(*rec), 0) && rec->kind != RECORD_LIMITED)
		count_ring_full();
}

#endif
