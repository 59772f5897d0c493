/** Completion for the shells: what yargs writes, without its words on how to install it; for fish, which it does not know. Pure. */

/** @param script as `solistend completion` prints it */
export function shellCompletion(script: string): string {
	const lines = script.trim().split("\n");
	return `${lines.filter((line) => !/^#(#|$| yargs command| Installation| {4}or )/.test(line)).join("\n")}\n`;
}

/** fish asks as zsh does, and has a tab between a word and what it means. */
export const fishCompletion = (): string => `function __solistend_complete
	SHELL=/bin/zsh solistend --get-yargs-completions (commandline -opc) (commandline -ct) | string replace ':' \\t
end
complete --command solistend --arguments '(__solistend_complete)'
`;
