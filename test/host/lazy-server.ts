/**
 * A web server that a test can have stop accepting: the kernel goes on taking connections for it, as many as its backlog
 * lets it. Answers one request after the other with `hello from NAME`.
 */

import { connect, type Socket } from "node:net";
import { eventually } from "./eventually.js";
import { enter, type Netns } from "./netns.js";
import { startProcess } from "./process.js";

export interface LazyServer extends AsyncDisposable {
	readonly pid: number;
	/** Resolves when it has done it: `hang` and it accepts nothing, until `accept`. */
	tell(word: "hang" | "accept"): Promise<void>;
	/** Fills its accept queue while it hangs; resolves when the kernel takes no more. */
	fill(address: string): Promise<void>;
	/** Kills it. */
	close(): Promise<void>;
}

const PORT = 80;

const SCRIPT = `
use IO::Socket::INET; use IO::Select;
my ($name, $backlog) = @ARGV;
my $listener = IO::Socket::INET->new(Listen => $backlog, LocalAddr => "0.0.0.0", LocalPort => ${PORT}) or die $@;
$| = 1;
print "listen\\n";
my $accepts = 1;
while (1) {
	for my $ready (IO::Select->new(\\*STDIN, $accepts ? $listener : ())->can_read) {
		if ($ready == \\*STDIN) {
			sysread(STDIN, my $word, 64) or exit;
			$accepts = $word =~ /accept/;
			print $word;
			next;
		}
		my $client = $listener->accept or next;
		# one that only waits to be accepted has closed, or is closed
		next unless IO::Select->new($client)->can_read(1) and sysread($client, my $request, 65536);
		my $body = "hello from $name\\n";
		print $client "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: " . length($body) . "\\r\\n\\r\\n" . $body;
	}
}
`;

/** Starts it on port 80. Resolves when it listens. */
export async function startLazyServer({
	name,
	netns,
	backlog,
}: {
	readonly name: string;
	readonly netns: Netns;
	readonly backlog: number;
}): Promise<LazyServer> {
	const said: string[] = [];
	const server = startProcess([...enter(netns), "perl", "-e", SCRIPT, name, String(backlog)], {
		stdin: true,
		onLine: (line, stream) => stream === "stdout" && said.push(line),
	});
	const clients: Socket[] = [];
	const hangUp = () => {
		for (const client of clients.splice(0)) client.destroy();
	};
	const close = async () => {
		hangUp();
		await server.close(0);
	};
	const until = (word: string, before: number) =>
		eventually(`${name} says ${word}`, () => said.lastIndexOf(word) >= before);
	try {
		await until("listen", 0);
	} catch (error) {
		await close();
		throw error;
	}
	return {
		pid: server.pid,
		async tell(word) {
			const before = said.length;
			if (word === "accept") hangUp();
			server.write(`${word}\n`);
			await until(word, before);
		},
		async fill(address) {
			let taken = 0;
			// what is beyond the queue is tried over and over by the kernel, and may stay so
			for (let n = 0; n <= backlog; n++) {
				const client = connect(PORT, address, () => taken++);
				client.on("error", () => undefined);
				clients.push(client);
			}
			await eventually(`${backlog + 1} connections wait`, () => taken > backlog);
		},
		close,
		[Symbol.asyncDispose]: close,
	};
}
