/*
 * Listens and closes as fast as it can, in namespaces of its own: in each KEEP listeners are open at any time, and for each
 * that comes the oldest one goes.
 *
 *	flood NAMESPACES KEEP	→ ready
 *
 *	run PAIRS	→ run EVENTS NS_LAST		so many more that come and go, in the namespaces in turns
 *	list		→ list INODE:PORT …		what listens, as /proc/net/tcp of each namespace has it
 *
 * Ends with its standard input, and the namespaces with it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

/* Pairs in one namespace before it is the next one's turn: entering it takes its time. */
#define IN_A_ROW 16
#define FIRST_PORT 1024
#define PORTS 60000

static struct place {
	int netns;
	unsigned long inode;
	int *listeners; /* a ring */
	unsigned int came;
} *places;
static int namespaces, keep;

static void open_place(struct place *place)
{
	struct stat found;

	if (unshare(CLONE_NEWNET) < 0)
		die("unshare");
	place->netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (place->netns < 0 || fstat(place->netns, &found) < 0)
		die("ns/net");
	place->inode = found.st_ino;
	place->listeners = calloc(keep, sizeof(int));
}

static void enter(struct place *place)
{
	if (setns(place->netns, CLONE_NEWNET) < 0)
		die("setns");
}

/* One comes, and where the ring is full one goes. Answers how many events that was. */
static int turn(struct place *place)
{
	int *slot = &place->listeners[place->came % keep], was = *slot, yes = 1;
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(FIRST_PORT + place->came++ % PORTS),
	};

	*slot = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*slot < 0)
		die("socket");
	setsockopt(*slot, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(*slot, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(*slot, 16) < 0)
		die("listen");
	if (!was)
		return 1;
	close(was);
	return 2;
}

static void run(long pairs)
{
	static int next;
	uint64_t events = 0;

	for (long done = 0; done < pairs; done += IN_A_ROW) {
		struct place *place = &places[next++ % namespaces];

		enter(place);
		for (int i = 0; i < IN_A_ROW; i++)
			events += turn(place);
	}
	printf("run %" PRIu64 " %" PRIu64 "\n", events, now_ns());
}

/* The state is the fourth column, 0A where it listens; the second is ADDRESS:PORT in hexadecimal. */
static void list_place(struct place *place)
{
	char line[256], state[8];
	unsigned int port;
	FILE *file;

	enter(place);
	file = fopen("/proc/thread-self/net/tcp", "r");
	if (!file)
		die("net/tcp");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*d: %*[0-9A-F]:%x %*s %7s", &port, state) == 2 && !strcmp(state, "0A"))
			printf(" %lu:%u", place->inode, port);
	fclose(file);
}

int main(int argc, char **argv)
{
	char line[64];
	long pairs;

	if (argc != 3) {
		fprintf(stderr, "usage: flood NAMESPACES KEEP\n");
		return 2;
	}
	namespaces = atoi(argv[1]);
	keep = atoi(argv[2]);
	places = calloc(namespaces, sizeof(*places));
	for (int i = 0; i < namespaces; i++)
		open_place(&places[i]);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "run %ld", &pairs) == 1)
			run(pairs);
		else if (!strcmp(line, "list\n")) {
			printf("list");
			for (int i = 0; i < namespaces; i++)
				list_place(&places[i]);
			printf("\n");
		} else
			fprintf(stderr, "unknown command: %s", line);
		fflush(stdout);
	}
	return 0;
}
