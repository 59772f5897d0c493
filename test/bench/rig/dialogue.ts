/** A process that answers each line on its standard input with a line. Knows nothing of what they mean. */

import { type Process, startProcess } from "../../host/process.js";

export interface Dialogue extends AsyncDisposable {
	readonly process: Process;
	/** Sends a line; resolves with the answer. Questions are answered in their order. */
	ask(question: string): Promise<string>;
	/** Resolves with a line that was not asked for: the next one. */
	next(): Promise<string>;
	close(): Promise<void>;
}

export function startDialogue(command: readonly string[]): Dialogue {
	const waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
	const next = () => new Promise<string>((resolve, reject) => waiting.push({ resolve, reject }));
	const running = startProcess(command, {
		stdin: true,
		onLine(line, stream) {
			if (stream === "stdout") waiting.shift()?.resolve(line);
		},
	});
	running.exited.then(({ code, signal }) => {
		const error = new Error(`${command.join(" ")} ended with ${signal ?? `code ${code}`}:\n${running.lastLines()}`);
		for (const { reject } of waiting.splice(0)) reject(error);
	});
	const close = () => running.close();
	return {
		process: running,
		ask(question) {
			const answer = next();
			running.write(`${question}\n`);
			return answer;
		},
		next,
		close,
		[Symbol.asyncDispose]: close,
	};
}
