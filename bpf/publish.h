/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* How a record goes out: into the ring buffer, or counted as lost. */
#ifndef SOLISTEND_PUBLISH_H
#define SOLISTEND_PUBLISH_H

#include "maps.h"

static __always_inline void publish(struct record *rec)
{
	rec->cpu = bpf_get_smp_processor_id();
	if (bpf_ringbuf_output(&events, rec, sizeof(*rec), 0))
		count_ring_full();
}

#endif
