/*
 * Holds many files and many sockets open, and does nothing with them: what a busy host has.
 *
 *	hoard FILES SOCKETS	→ ready
 *
 * The sockets are both ends of connections over the loopback of the namespace that it runs in. Ends with its standard
 * input or by SIGTERM, when all of them are closed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

/* Of each in one process: RLIMIT_NOFILE may be 20,000, and only CAP_SYS_RESOURCE could raise it. */
#define IN_ONE 8000
#define MAX_PROCESSES 1024

static void open_files(int files)
{
	for (int i = 0; i < files; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			die("open");
}

static void open_connections(int connections)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&at, size) < 0 || listen(listener, 128) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &size) < 0)
		die("listen");
	for (int i = 0; i < connections; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (connect(fd, (struct sockaddr *)&at, size) < 0 || accept(listener, NULL, NULL) < 0)
			die("connect");
	}
	close(listener);
}

/* A process with its share of both. */
static pid_t start(int files, int connections, int ready)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_files(files);
	open_connections(connections);
	if (write(ready, "", 1) != 1)
		die("write");
	for (;;)
		pause();
}

static int least(int a, int b)
{
	return a < b ? a : b;
}

/* Ends the wait for the end of the input, also where it has not begun yet. */
static void on_term(int signal)
{
	(void)signal;
	close(STDIN_FILENO);
}

int main(int argc, char **argv)
{
	int files, connections, processes = 0, ready[2];
	pid_t pids[MAX_PROCESSES];
	char byte;

	if (argc != 3) {
		fprintf(stderr, "usage: hoard FILES SOCKETS\n");
		return 2;
	}
	files = atoi(argv[1]);
	connections = atoi(argv[2]) / 2;
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	if (pipe(ready) < 0)
		die("pipe");
	for (; (files > 0 || connections > 0) && processes < MAX_PROCESSES; processes++) {
		pids[processes] = start(least(files, IN_ONE), least(connections, IN_ONE / 2), ready[1]);
		files -= least(files, IN_ONE);
		connections -= least(connections, IN_ONE / 2);
	}
	/* one that fails has no end of the pipe any more, and then nobody has */
	close(ready[1]);
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1) {
			fprintf(stderr, "not all of them are open\n");
			return 1;
		}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (int i = 0; i < processes; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
