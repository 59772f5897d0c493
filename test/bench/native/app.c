/*
 * An application that is measured: listens on ports FIRST … FIRST+COUNT-1, answers each request with NAME:PORT after
 * WORK_US, and closes the connection. Does what it is told on stdin, and says when: the time just before the system call.
 *
 *	app NAME ADDRESS FIRST COUNT WORK_US exit|stay [BACKLOG]
 *
 *	listen [PORT]	→ listen NS_FIRST NS_LAST
 *	close [PORT]	→ close NS_FIRST NS_LAST
 *	term		→ term NS		sends itself SIGTERM
 *	exit		→ exit NS		ends at once, whatever it has accepted
 *	hang		→ hang NS		lives on, and neither accepts nor answers nor obeys any more
 *
 * On SIGTERM it stays, or it stops at once: takes what is queued, closes its listeners, answers, exits.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define MAX_FDS 65536

static const char *name;
static struct in_addr address;
static int first, count, epoll, backlog = 1024;
static uint64_t work_ns;
static int listener_of[MAX_FDS]; /* by index of the port; 0 when it does not listen */
static int port_of[MAX_FDS];	 /* of a listener or a connection, by descriptor */
static int is_listener[MAX_FDS];
static struct answer {
	int fd;
	uint64_t due_ns;
} answers[MAX_FDS]; /* a ring: the work takes equally long for each */
static unsigned int head, tail;
static int connections;
static volatile sig_atomic_t told_to_stop;

static void on_term(int signal)
{
	(void)signal;
	told_to_stop = 1;
}

static void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

/* Everything before listen(2). */
static void prepare(int index)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(first + index), .sin_addr = address };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0 || fd >= MAX_FDS)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("bind");
	listener_of[index] = fd;
	port_of[fd] = first + index;
	is_listener[fd] = 1;
}

static void stop_listening(int index)
{
	int fd = listener_of[index];

	is_listener[fd] = 0;
	listener_of[index] = 0;
	close(fd);
}

static void listen_on(int from, int to)
{
	uint64_t first_ns = 0, last_ns = 0;

	for (int i = from; i < to; i++)
		if (!listener_of[i])
			prepare(i);
	for (int i = from; i < to; i++) {
		last_ns = now_ns();
		if (listen(listener_of[i], backlog) < 0)
			die("listen");
		if (!first_ns)
			first_ns = last_ns;
	}
	for (int i = from; i < to; i++)
		watch(listener_of[i]);
	printf("listen %" PRIu64 " %" PRIu64 "\n", first_ns, last_ns);
}

static void close_on(int from, int to)
{
	uint64_t first_ns = 0, last_ns = 0;

	for (int i = from; i < to; i++) {
		if (!listener_of[i])
			continue;
		last_ns = now_ns();
		stop_listening(i);
		if (!first_ns)
			first_ns = last_ns;
	}
	printf("close %" PRIu64 " %" PRIu64 "\n", first_ns, last_ns);
}

static void take_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= MAX_FDS)
			die("accept");
		port_of[fd] = port_of[listener];
		connections++;
		watch(fd);
	}
}

static void hang_up(int fd)
{
	close(fd);
	connections--;
}

static void read_request(int fd)
{
	char request[8192];
	ssize_t length = read(fd, request, sizeof(request));

	if (length < 0 && errno == EAGAIN)
		return;
	if (length < 4) {
		hang_up(fd);
		return;
	}
	if (memcmp(request + length - 4, "\r\n\r\n", 4))
		return;
	epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	answers[tail++ % MAX_FDS] = (struct answer){ fd, now_ns() + work_ns };
}

static void answer_due(void)
{
	for (uint64_t now = now_ns(); head != tail && answers[head % MAX_FDS].due_ns <= now; head++) {
		int fd = answers[head % MAX_FDS].fd;
		char body[128], text[512];
		int size = snprintf(body, sizeof(body), "%s:%d\n", name, port_of[fd]);
		int length = snprintf(text, sizeof(text),
				      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
				      "Connection: close\r\n\r\n%s", size, body);

		if (write(fd, text, length) != length)
			fprintf(stderr, "an answer was not taken: %s\n", strerror(errno));
		hang_up(fd);
	}
}

static void obey(char *line)
{
	char verb[16];
	int port = 0, words = sscanf(line, "%15s %d", verb, &port);
	int from = words > 1 ? port - first : 0, to = words > 1 ? from + 1 : count;

	if (from < 0 || to > count)
		fprintf(stderr, "no such port: %s\n", line);
	else if (!strcmp(verb, "listen"))
		listen_on(from, to);
	else if (!strcmp(verb, "close"))
		close_on(from, to);
	else if (!strcmp(verb, "term")) {
		uint64_t at_ns = now_ns();

		kill(getpid(), SIGTERM);
		printf("term %" PRIu64 "\n", at_ns);
	} else if (!strcmp(verb, "exit") || !strcmp(verb, "hang")) {
		printf("%s %" PRIu64 "\n", verb, now_ns());
		fflush(stdout);
		if (!strcmp(verb, "exit"))
			_exit(0);
		for (;;)
			pause();
	} else
		fprintf(stderr, "unknown command: %s\n", line);
	fflush(stdout);
}

/* Ends the program with its standard input. */
static void read_commands(void)
{
	static char buffer[65536];
	static size_t used;
	ssize_t length = read(STDIN_FILENO, buffer + used, sizeof(buffer) - 1 - used);
	char *line = buffer, *end;

	if (length <= 0)
		exit(0);
	used += length;
	buffer[used] = 0;
	while ((end = strchr(line, '\n'))) {
		*end = 0;
		obey(line);
		line = end + 1;
	}
	used = strlen(line);
	memmove(buffer, line, used);
}

static void wait_and_serve(const sigset_t *mask)
{
	struct epoll_event events[256];
	struct timespec left = { 0 }, *limit = NULL;
	int ready;

	if (head != tail) {
		uint64_t now = now_ns(), due = answers[head % MAX_FDS].due_ns;

		left.tv_nsec = due > now ? due - now : 0;
		limit = &left;
	}
	ready = epoll_pwait2(epoll, events, 256, limit, mask);
	for (int i = 0; i < ready; i++) {
		int fd = events[i].data.fd;

		if (fd == STDIN_FILENO)
			read_commands();
		else if (is_listener[fd])
			take_all(fd);
		else
			read_request(fd);
	}
	answer_due();
}

int main(int argc, char **argv)
{
	struct rlimit files;
	sigset_t blocked, open;
	int stays;

	if (argc < 7 || argc > 8 || inet_pton(AF_INET, argv[2], &address) != 1) {
		fprintf(stderr, "usage: app NAME ADDRESS FIRST COUNT WORK_US exit|stay [BACKLOG]\n");
		return 2;
	}
	name = argv[1];
	first = atoi(argv[3]);
	count = atoi(argv[4]);
	work_ns = strtoull(argv[5], NULL, 10) * 1000;
	stays = !strcmp(argv[6], "stay");
	if (argc == 8)
		backlog = atoi(argv[7]);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	sigprocmask(SIG_SETMASK, NULL, &open);
	blocked = open;
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	watch(STDIN_FILENO);
	while (stays || !told_to_stop)
		wait_and_serve(&open);

	for (int i = 0; i < count; i++) {
		if (!listener_of[i])
			continue;
		take_all(listener_of[i]);
		stop_listening(i);
	}
	while (connections > 0)
		wait_and_serve(&open);
	return 0;
}
