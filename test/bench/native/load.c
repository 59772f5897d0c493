/*
 * A client that asks at fixed times, whatever became of the requests before: a new connection each, the time of an answer
 * counted from when the request was due.
 *
 *	load ADDRESS PORT PER_SECOND COUNT	→ a line for each request: STATUS MICROSECONDS DUE_NS, at the end
 *
 * Asks no more when its standard input ends.
 * STATUS is 0 where there was no complete answer within 10 s.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"

#define MAX_FDS 65536
#define PATIENCE_NS 10000000000ull

struct request {
	uint64_t due_ns;
	uint64_t took_ns;
	int status;
	int seen; /* bytes of the head that came so far */
	char head[16];
};

static struct request *requests;
static int request_of[MAX_FDS];
static int epoll, asked, open_requests;

static void finish(int fd, struct request *request, int is_complete)
{
	request->took_ns = now_ns() - request->due_ns;
	request->status = is_complete && request->seen >= 12 ? atoi(request->head + 9) : 0;
	close(fd);
	open_requests--;
}

static void ask(const struct sockaddr_in *at, int index)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
	struct epoll_event event = { .events = EPOLLIN };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || fd >= MAX_FDS)
		die("socket");
	open_requests++;
	/* on this machine: connecting and writing do not wait */
	if (connect(fd, (struct sockaddr *)at, sizeof(*at)) < 0 || write(fd, text, sizeof(text) - 1) < 0) {
		finish(fd, &requests[index], 0);
		return;
	}
	request_of[fd] = index;
	event.data.fd = fd;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void take_answer(int fd)
{
	struct request *request = &requests[request_of[fd]];
	char buffer[4096];
	ssize_t length = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (length < 0 && errno == EAGAIN)
		return;
	if (length <= 0) {
		finish(fd, request, length == 0);
		return;
	}
	for (int i = 0; i < length && request->seen < 15; i++)
		request->head[request->seen++] = buffer[i];
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct epoll_event events[256];
	uint64_t start_ns, every_ns;
	int timer, count;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) {
		fprintf(stderr, "usage: load ADDRESS PORT PER_SECOND COUNT\n");
		return 2;
	}
	at.sin_port = htons(atoi(argv[2]));
	every_ns = 1000000000ull / strtoull(argv[3], NULL, 10);
	count = atoi(argv[4]);
	requests = calloc(count, sizeof(*requests));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO,
		  &(struct epoll_event){ .events = EPOLLIN, .data.fd = STDIN_FILENO });
	epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &(struct epoll_event){ .events = EPOLLIN, .data.fd = timer });
	start_ns = now_ns() + every_ns;
	for (int i = 0; i < count; i++)
		requests[i].due_ns = start_ns + i * every_ns;

	while (asked < count || open_requests > 0) {
		uint64_t wake_ns = asked < count ? requests[asked].due_ns : requests[count - 1].due_ns + PATIENCE_NS;
		struct itimerspec due = { .it_value = { wake_ns / 1000000000u, wake_ns % 1000000000u } };
		int ready;

		timerfd_settime(timer, TFD_TIMER_ABSTIME, &due, NULL);
		ready = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < ready; i++) {
			if (events[i].data.fd == STDIN_FILENO) {
				epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
				count = asked;
			} else if (events[i].data.fd != timer) {
				take_answer(events[i].data.fd);
			}
		}
		while (asked < count && requests[asked].due_ns <= now_ns())
			ask(&at, asked++);
		if (asked == count && now_ns() > requests[count - 1].due_ns + PATIENCE_NS)
			break;
	}
	for (int i = 0; i < count; i++)
		printf("%d %" PRIu64 " %" PRIu64 "\n", requests[i].status, requests[i].took_ns / 1000,
		       requests[i].due_ns);
	return 0;
}
