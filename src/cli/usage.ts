/**
 * How wrong words on the command line are told: the unknown word first, then what is missing, one line each, with the
 * command whose --help says more. Options that must be given are checked here and not by commander, which would
 * complain of a missing --model before it notices the mistyped --modle.
 */
import type { Command } from 'commander'

/** commander's sentences in the form of all other errors of this command line: `peer: --top 0: a number … is expected.` */
function reworded(text: string): string {
  return text
    .replace(/^error: /, 'peer: ')
    .replace(/option '(?:-\w, )?(--[\w-]+)[^']*' argument '([^']*)' is invalid\. /s, '$1 $2: ')
    .replace(/command-argument value '([^']*)' is invalid for argument '([\w-]+)'\. /s, '<$2> $1: ')
    .replace(/Allowed choices are (.*)\.\n/, 'one of $1 is expected.\n')
    .replace(/'(-[^\s']+)[^']*'/g, '$1')
    .replace(/missing required argument '([\w-]+)'/, 'missing argument <$1>')
    .replace(/\s*\n\(Did you mean (?:one of )?([^?]+)\?\)\s*/, (_, meant: string) => hint(text, meant))
}

/** `stop` is not a mistyped `drop`: a command is only guessed where at least its first letter is right. */
function hint(text: string, meant: string): string {
  const unknown = /unknown command '(.)/.exec(text)?.[1]
  return unknown === undefined || meant.startsWith(unknown) ? `; did you mean ${meant}?\n` : '\n'
}

/** Settings that the subcommands inherit; to be called before any is added. */
export function tellUsage(program: Command): Command {
  return program
    .configureOutput({ outputError: (text, write) => write(reworded(text)) })
    .showSuggestionAfterError(true)
    .exitOverride()
}

/** `peer submit classify` of the command that `peer submit classify photos` runs. */
export function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name()
}

/** Ends each line about wrong words with where to read on. */
export function pointToHelp(command: Command): void {
  command.showHelpAfterError(`${nameOf(command)} --help says what it takes`)
  for (const child of command.commands) pointToHelp(child)
}

/** @param says what the option is, such as `--model <path>, an .onnx file` */
export function required<O extends string>(command: Command, option: O, says: string): Command {
  return command.hook('preAction', (_, acting) => {
    if (acting.opts()[option] === undefined) acting.error(`error: ${says} is missing`)
  })
}
