// SPDX-License-Identifier: Apache-2.0
/*
 * Processes with sockets as Node can't make them, for the suite in the VM. Each
 * prints one line when it is in the state that it is for, and ends at the end of
 * its standard input. A part of the tests, and knows nothing of the sensor.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int must(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

/* A listener on every address; port 0 lets the kernel choose. */
static int listener(int port, int backlog)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = must("socket", socket(AF_INET, SOCK_STREAM, 0));

	must("bind", bind(fd, (struct sockaddr *)&at, sizeof(at)));
	must("listen", listen(fd, backlog));
	return fd;
}

static void say(const char *what, int number)
{
	printf("%s %d\n", what, number);
	fflush(stdout);
}

static void wait_for_end(void)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
}

static void send_fd(int to, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	must("sendmsg", sendmsg(to, &message, 0));
}

/* -1 when the other end is closed, or gone. */
static int receive_fd(int from)
{
	char byte, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(from, &message, 0) <= 0)
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* serve PORT BACKLOG: listens. */
static void serve(int port, int backlog)
{
	listener(port, backlog);
	say("ready", getpid());
	wait_for_end();
}

/* Goes on in a process whose parent ends as soon as it has started it; ours waits for the end. */
static void detach(void)
{
	if (must("fork", fork())) {
		wait_for_end();
		exit(0);
	}
}

static void wait_for_adoption(void)
{
	while (getppid() != 1)
		usleep(1000);
}

/* inherit PORT: listens, forks, and ends itself; the child keeps the socket. */
static void inherit(int port)
{
	detach();
	listener(port, 5);
	if (must("fork", fork()))
		exit(0);
	wait_for_adoption();
	say("ready", getpid());
	wait_for_end();
}

/* pass PORT: listens, and passes the socket to a process that it does not share it with otherwise. */
static void pass(int port)
{
	int pair[2], fd;

	detach();
	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	if (must("fork", fork())) {
		fd = listener(port, 5);
		send_fd(pair[0], fd);
		exit(0);
	}
	receive_fd(pair[1]);
	wait_for_adoption();
	say("ready", getpid());
	wait_for_end();
}

/* flight PORT: listens, and leaves the socket in a message that nobody has taken yet. */
static void flight(int port)
{
	int pair[2], fd;

	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	fd = listener(port, 5);
	send_fd(pair[0], fd);
	close(fd);
	say("ready", getpid());
	wait_for_end();
}

/* juggle PORT: two processes pass the socket to and fro, each holding it for a moment only. */
static void juggle(int port)
{
	int pair[2], fd, mine, parent = getpid();

	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	if (!must("fork", fork())) {
		mine = pair[1];
		close(pair[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	} else {
		mine = pair[0];
		close(pair[1]);
		fd = listener(port, 5);
		if (!must("fork", fork())) {
			close(fd);
			wait_for_end();
			kill(parent, SIGKILL);
			exit(0);
		}
		send_fd(mine, fd);
		close(fd);
		say("ready", getpid());
	}
	while ((fd = receive_fd(mine)) >= 0) {
		usleep(50);
		send_fd(mine, fd);
		close(fd);
	}
}

/* uring PORT: listens, and leaves the socket to the fixed files of an io_uring. */
static void uring(int port)
{
	struct io_uring_params params = {};
	int ring = must("io_uring_setup", syscall(__NR_io_uring_setup, 1, &params));
	int fd = listener(port, 5);

	must("io_uring_register", syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1));
	close(fd);
	say("ready", getpid());
	wait_for_end();
}

/*
 * storm PAIRS NAMESPACES KEEP: opens and closes PAIRS listeners in each of
 * NAMESPACES new network namespaces (0: only in its own), one after the other,
 * then opens KEEP listeners in the last one.
 */
static void storm(int pairs, int namespaces, int keep)
{
	int space = 0, i;

	do {
		if (namespaces > 0)
			must("unshare", unshare(CLONE_NEWNET));
		for (i = 0; i < pairs; i++)
			close(listener(0, 1));
	} while (++space < namespaces);
	for (i = 0; i < keep; i++)
		listener(0, 9);
	say("ready", getpid());
	wait_for_end();
}

/*
 * flood: opens and closes listeners without end, in a network namespace of its
 * own: several thousand a second, with pauses, since the VM has one CPU, and who
 * waits for that is not slow by what is tried here.
 */
static void flood(void)
{
	int parent = getpid(), i;

	must("unshare", unshare(CLONE_NEWNET));
	if (!must("fork", fork())) {
		wait_for_end();
		kill(parent, SIGKILL);
		exit(0);
	}
	say("ready", getpid());
	for (;;) {
		for (i = 0; i < 16; i++)
			close(listener(0, 1));
		usleep(3000);
	}
}

int main(int count, char **words)
{
	const char *what = count > 1 ? words[1] : "";
	int numbers[3] = {}, i;

	for (i = 0; i < 3 && i + 2 < count; i++)
		numbers[i] = atoi(words[i + 2]);
	if (!strcmp(what, "serve"))
		serve(numbers[0], numbers[1]);
	else if (!strcmp(what, "inherit"))
		inherit(numbers[0]);
	else if (!strcmp(what, "pass"))
		pass(numbers[0]);
	else if (!strcmp(what, "flight"))
		flight(numbers[0]);
	else if (!strcmp(what, "juggle"))
		juggle(numbers[0]);
	else if (!strcmp(what, "uring"))
		uring(numbers[0]);
	else if (!strcmp(what, "storm"))
		storm(numbers[0], numbers[1], numbers[2]);
	else if (!strcmp(what, "flood"))
		flood();
	else
		return 2;
	return 0;
}
