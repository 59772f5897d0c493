/*
 * Looks again and again until something is so, and says when that was seen. A new connection for each look, so that it
 * is the newest worker that answers. Commands on stdin, a line each:
 *
 *	answer ADDRESS PORT NAME PATIENCE_MS			an HTTP request is answered by NAME
 *	server SOCKET BACKEND ADDRESS PORT WHAT PATIENCE_MS	HAProxy has the server in, out or in drain
 *	count SOCKET BACKEND PORT FROM PATIENCE_MS		FROM servers or more are in, at ports from PORT on
 *	stat SOCKET PROXY_ID SERVER_ID WHAT PATIENCE_MS		the same for one server by its numbers: cheap among many
 *
 * → NS LOOKS, or: never
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"

/* Between two looks: leaves the proxy and this machine some air, and adds little to what is measured. */
#define PAUSE_US 100

static char answer[4 << 20];

/* Asks and reads to the end; an empty answer where that fails. */
static void exchange(const struct sockaddr *at, socklen_t size, const char *question)
{
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t used = 0;
	ssize_t length;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, at, size) == 0 && write(fd, question, strlen(question)) > 0)
		while (used < sizeof(answer) - 1 && (length = read(fd, answer + used, sizeof(answer) - 1 - used)) > 0)
			used += length;
	answer[used] = 0;
	close(fd);
}

static void ask_socket(const char *path, const char *command)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	exchange((struct sockaddr *)&at, sizeof(at), command);
}

/* One look each; true when it is so. */

static int is_answered(const char *address, int port, const char *name)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	char by[80];

	inet_pton(AF_INET, address, &at.sin_addr);
	exchange((struct sockaddr *)&at, sizeof(at), "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
	snprintf(by, sizeof(by), "\n%s:", name);
	return !strncmp(answer, "HTTP/1.1 200", 12) && strstr(answer, by);
}

/*
 * Counts the servers of a backend that are in and that are in drain, at one address and port, or with no address at all
 * ports from that one on. False where HAProxy does not answer. Columns of `show servers state`: be_id be_name srv_id
 * srv_name srv_addr srv_op_state srv_admin_state … srv_port is the 19th.
 */
static int count_servers(const char *socket, const char *backend, const char *address, int port, int *in, int *drain)
{
	char command[160];

	*in = *drain = 0;
	snprintf(command, sizeof(command), "show servers state %s\n", backend);
	ask_socket(socket, command);
	if (!strstr(answer, "# be_id"))
		return 0;
	for (char *line = strtok(answer, "\n"); line; line = strtok(NULL, "\n")) {
		char at[64];
		int op, admin, its_port;

		if (sscanf(line, "%*s %*s %*s %*s %63s %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d", at, &op,
			   &admin, &its_port) != 4)
			continue;
		if (address ? its_port != port || strcmp(at, address) : its_port < port)
			continue;
		/* stopped, or in maintenance */
		if (op == 0 || admin & 0x01)
			continue;
		if (admin & 0x18)
			++*drain;
		else
			++*in;
	}
	return 1;
}

static int is_server(const char *socket, const char *backend, const char *address, int port, const char *what)
{
	int in, drain;

	if (!count_servers(socket, backend, address, port, &in, &drain))
		return 0;
	return !strcmp(what, "in") ? in : !strcmp(what, "out") ? !in && !drain : !in;
}

/* The 18th column of the CSV is the status. A server that is not there has no line. */
static int is_stat(const char *socket, int proxy, int server, const char *what)
{
	char command[96];
	char *status;

	snprintf(command, sizeof(command), "show stat %d 4 %d\n", proxy, server);
	ask_socket(socket, command);
	if (strncmp(answer, "# pxname", 8))
		return 0;
	status = strchr(answer, '\n');
	for (int column = 0; status && column < 17; column++)
		status = strchr(status + 1, ',');
	if (!status || !strncmp(status + 1, "MAINT", 5))
		return !strcmp(what, "out");
	return !strcmp(what, strncmp(status + 1, "DRAIN", 5) ? "in" : "drain");
}

static int look(const char *line)
{
	char socket[108], backend[64], address[64], what[64];
	int port, proxy, server, in, drain;

	if (sscanf(line, "answer %63s %d %63s", address, &port, what) == 3)
		return is_answered(address, port, what);
	if (sscanf(line, "server %107s %63s %63s %d %63s", socket, backend, address, &port, what) == 5)
		return is_server(socket, backend, address, port, what);
	if (sscanf(line, "count %107s %63s %d %d", socket, backend, &port, &server) == 4)
		return count_servers(socket, backend, NULL, port, &in, &drain) && in >= server;
	if (sscanf(line, "stat %107s %d %d %63s", socket, &proxy, &server, what) == 4)
		return is_stat(socket, proxy, server, what);
	fprintf(stderr, "unknown command: %s\n", line);
	exit(2);
}

int main(void)
{
	char line[512];

	while (fgets(line, sizeof(line), stdin)) {
		const char *last = strrchr(line, ' ');
		uint64_t until_ns = now_ns() + strtoull(last ? last : "0", NULL, 10) * 1000000;
		uint64_t seen_ns = 0;
		int looks = 0;

		while (!seen_ns && now_ns() < until_ns) {
			looks++;
			if (look(line))
				seen_ns = now_ns();
			else
				usleep(PAUSE_US);
		}
		if (seen_ns)
			printf("%" PRIu64 " %d\n", seen_ns, looks);
		else
			printf("never\n");
		fflush(stdout);
	}
	return 0;
}
