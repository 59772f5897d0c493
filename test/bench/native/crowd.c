/*
 * Many network namespaces with listeners: in each a process of its own, an address of its own, and listeners on ports
 * FIRST … FIRST+LISTENERS-1.
 *
 *	crowd NAMESPACES LISTENERS FIRST	→ ready, once all listen
 *
 * Addresses are 10.200.0.0 onwards. Ends with its standard input or by SIGTERM, and its processes and namespaces with it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

/* A global address on the loopback: nobody is to reach it, it is only to be there. */
static void give_address(int index)
{
	struct ifreq request = { .ifr_name = "lo" };
	struct sockaddr_in *at = (struct sockaddr_in *)&request.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	request.ifr_flags = IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die("lo up");
	memset(&request.ifr_addr, 0, sizeof(request.ifr_addr));
	strcpy(request.ifr_name, "lo:1");
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl((10u << 24 | 200u << 16) + index);
	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		die("address");
	at->sin_addr.s_addr = htonl(~0u);
	if (ioctl(fd, SIOCSIFNETMASK, &request) < 0)
		die("netmask");
	close(fd);
}

static void be_one(int index, int listeners, int first, int ready)
{
	struct sockaddr_in at = { .sin_family = AF_INET };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) < 0)
		die("unshare");
	give_address(index);
	for (int i = 0; i < listeners; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		at.sin_port = htons(first + i);
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0)
			die("listen");
	}
	if (write(ready, "", 1) != 1)
		die("write");
	for (;;)
		pause();
}

/* Ends the wait for the end of the input, also where it has not begun yet. */
static void on_term(int signal)
{
	(void)signal;
	close(STDIN_FILENO);
}

int main(int argc, char **argv)
{
	int namespaces, listeners, first, ready[2];
	pid_t *pids;
	char byte;

	if (argc != 4) {
		fprintf(stderr, "usage: crowd NAMESPACES LISTENERS FIRST\n");
		return 2;
	}
	namespaces = atoi(argv[1]);
	listeners = atoi(argv[2]);
	first = atoi(argv[3]);
	pids = calloc(namespaces, sizeof(*pids));
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	if (pipe(ready) < 0)
		die("pipe");
	for (int i = 0; i < namespaces; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (pids[i] == 0)
			be_one(i, listeners, first, ready[1]);
	}
	/* one that fails has no end of the pipe any more, and then nobody has */
	close(ready[1]);
	for (int i = 0; i < namespaces; i++)
		if (read(ready[0], &byte, 1) != 1) {
			fprintf(stderr, "not all of them listen\n");
			return 1;
		}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (int i = 0; i < namespaces; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
