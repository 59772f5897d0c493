/** What listens already when the sensor is started: for the cases of its first read. */

import { IPPROTO_MPTCP, rawSocket } from "../../host/raw-socket.js";
import { nextPort, type Program, startProgram } from "./program.js";

export interface Before extends AsyncDisposable {
	readonly plain: number;
	readonly ipv6: number;
	/** Undefined where the kernel has no MPTCP. */
	readonly mptcp: number | undefined;
	/** In a network namespace of its own. */
	readonly elsewhere: number;
	/** In a message between two processes. */
	readonly inFlight: number;
	/** Among the fixed files of an io_uring. */
	readonly inRing: number;
}

export async function openBefore(): Promise<Before> {
	const programs: Program[] = [];
	const start = async (...words: Parameters<typeof startProgram>) => {
		programs.push(await startProgram(...words));
	};
	const [plain, elsewhere, inFlight, inRing] = [nextPort(), nextPort(), nextPort(), nextPort()];
	await start(["serve", plain, 21]);
	await start(["serve", elsewhere, 22], ["unshare", "-n"]);
	await start(["flight", inFlight]);
	await start(["uring", inRing]);
	const ipv6 = rawSocket({ ipv6: true });
	ipv6.bind(nextPort());
	ipv6.listen(23);
	const mptcp = mptcpSocket();
	mptcp?.bind(nextPort());
	mptcp?.listen(24);
	return {
		plain,
		ipv6: ipv6.port(),
		mptcp: mptcp?.port(),
		elsewhere,
		inFlight,
		inRing,
		async [Symbol.asyncDispose]() {
			ipv6.close();
			mptcp?.close();
			for (const program of programs) await program.close();
		},
	};
}

function mptcpSocket() {
	try {
		return rawSocket({ protocol: IPPROTO_MPTCP });
	} catch {
		return undefined;
	}
}
