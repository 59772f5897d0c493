/*
 * Puts the wall clock of one process ahead of the machine's, or behind it: loaded with LD_PRELOAD, it adds the milliseconds
 * that the file AHEAD_FILE holds, eight bytes in the machine's order, to what CLOCK_REALTIME says. Whoever writes there steps
 * the clock while the process runs. All other clocks are as they are.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *ahead_ms;

__attribute__((constructor)) static void open_file(void)
{
	const char *path = getenv("AHEAD_FILE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*ahead_ms), PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (map != MAP_FAILED)
		ahead_ms = map;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = syscall(SYS_clock_gettime, clock, now);
	int64_t ns;

	if (result != 0 || clock != CLOCK_REALTIME || !ahead_ms)
		return result;
	ns = now->tv_nsec + *ahead_ms % 1000 * 1000000;
	now->tv_sec += *ahead_ms / 1000;
	if (ns < 0) {
		ns += 1000000000;
		now->tv_sec--;
	} else if (ns >= 1000000000) {
		ns -= 1000000000;
		now->tv_sec++;
	}
	now->tv_nsec = ns;
	return 0;
}

int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec exact;
	int result = clock_gettime(CLOCK_REALTIME, &exact);

	(void)zone;
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return result;
}

time_t time(time_t *at)
{
	struct timespec exact;

	clock_gettime(CLOCK_REALTIME, &exact);
	if (at)
		*at = exact.tv_sec;
	return exact.tv_sec;
}
