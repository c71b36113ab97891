/**
 * Completion scripts, made from the command line's own tree: what can stand at a place is looked up by the commands that
 * stand before it. Where a value is free text or a file, the shell completes files.
 */
import type { Command } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

interface Word {
  word: string
  says: string
}

interface Place {
  /** `submit classify`; empty at the top. */
  path: string
  commands: Word[]
  options: Word[]
  /** What may follow an option, or stand as an argument, where it is one of few words. */
  choices: { after: string; words: string[] }[]
}

/** The same for both names of the program. */
const programs = ['peer', 'shardmesh'] as const

function places(command: Command, path: string[] = []): Place[] {
  const help = command.createHelp()
  const options = help.visibleOptions(command)
  const commands = help.visibleCommands(command)
  const here: Place = {
    path: path.join(' '),
    commands: commands.map(one => ({ word: one.name(), says: one.description() })),
    options: options.flatMap(one => (one.long ? [{ word: one.long, says: one.description }] : [])),
    choices: [
      ...options.flatMap(one => (one.long && one.argChoices ? [{ after: one.long, words: one.argChoices }] : [])),
      ...command.registeredArguments.flatMap(one => (one.argChoices ? [{ after: '', words: one.argChoices }] : [])),
    ],
  }
  return [here, ...command.commands.flatMap(child => places(child, [...path, child.name()]))]
}

/** The script that `peer completion SHELL` prints. */
export function completionScript(program: Command, shell: Shell): string {
  const all = places(program)
  return shell === 'fish' ? fish(all) : shell === 'zsh' ? zsh(all) : bash(all)
}

/** A `case` of the commands so far, `|`, and the word before the one that is completed. */
function cases(all: readonly Place[]): string {
  const line = (pattern: string, list: string) => `    ${pattern}) words='${list}' ;;`
  return all
    .flatMap(({ path, commands, options, choices }) => [
      ...choices
        .filter(choice => choice.after !== '')
        .map(({ after, words: list }) => line(`'${path}|${after}'`, list.join(' '))),
      line(
        `'${path}|'*`,
        [...options, ...commands]
          .map(one => one.word)
          .concat(argumentsOf(choices))
          .join(' '),
      ),
    ])
    .join('\n')
}

const argumentsOf = (choices: Place['choices']) =>
  choices.filter(choice => choice.after === '').flatMap(choice => choice.words)

const pathNames = (all: readonly Place[]) => all.flatMap(({ path }) => (path ? [`'${path}'`] : [])).join('|')

function bash(all: readonly Place[]): string {
  return `# bash completion of peer and shardmesh, made by: peer completion bash
_shardmesh() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
    ${pathNames(all)}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path|$before" in
${cases(all)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ \${#COMPREPLY[@]} -gt 0 || $current == -* ]] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _shardmesh ${programs.join(' ')}
`
}

function zsh(all: readonly Place[]): string {
  return `#compdef ${programs.join(' ')}
# zsh completion, made by: peer completion zsh
_shardmesh() {
  local before=\${words[CURRENT-1]} at='' list='' word
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${at:+$at }$word" in
    ${pathNames(all)}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at|$before" in
${cases(all).replaceAll(" words='", " list='")}
  esac
  candidates=(\${=list})
  compadd -a candidates
  _files
}
_shardmesh "$@"
`
}

function fish(all: readonly Place[]): string {
  const quoted = (text: string) => `'${text.replace(/[\\']/g, '\\$&').replace(/\s+/g, ' ')}'`
  const lines = all.flatMap(({ path, commands, options, choices }) => {
    const at = path === '' ? '__fish_use_subcommand' : `__shardmesh_at ${path}`
    return programs.flatMap(program => [
      ...commands.map(one => `complete -c ${program} -n ${quoted(at)} -a ${one.word} -d ${quoted(one.says)}`),
      ...options.map(one => {
        const list = choices.find(choice => choice.after === one.word)?.words
        const values = list ? ` -x -a ${quoted(list.join(' '))}` : ''
        return `complete -c ${program} -n ${quoted(at)} -l ${one.word.slice(2)}${values} -d ${quoted(one.says)}`
      }),
      ...choices
        .filter(choice => choice.after === '')
        .map(choice => `complete -c ${program} -n ${quoted(at)} -a ${quoted(choice.words.join(' '))}`),
    ])
  })
  return `# fish completion of peer and shardmesh, made by: peer completion fish
function __shardmesh_at
  set -l given (commandline -opc)
  set -e given[1]
  test (count $given) -ge (count $argv); and test "$given[1..(count $argv)]" = "$argv"
end
${lines.join('\n')}
`
}
