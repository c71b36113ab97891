/** `npm run docs`: docs/cli.md, made from the command line's own tree. A test holds the file to it. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { program } from '../src/cli/program.ts'
import { nameOf } from '../src/cli/usage.ts'

/** What `--help` prints, 100 columns wide whatever the terminal. */
export function helpOf(command: Command): string {
  let text = ''
  command.configureHelp({ helpWidth: 100 })
  command.configureOutput({
    writeOut: more => {
      text += more
    },
  })
  command.outputHelp()
  return text.trimEnd()
}

/** The command and all below it, parents first, without the help command. */
export function commandsOf(command: Command): Command[] {
  return [command, ...command.commands.filter(child => child.name() !== 'help').flatMap(commandsOf)]
}

export function cliReference(): string {
  const sections = commandsOf(program()).map(command => {
    const level = nameOf(command).split(' ').length
    return `${'#'.repeat(Math.min(level + 1, 4))} ${nameOf(command)}\n\n\`\`\`\n${helpOf(command)}\n\`\`\``
  })
  return `# Commands\n\nThis page is what \`--help\` prints, made by \`npm run docs\`. \`shardmesh\` is another name of \`peer\`.\n\n${sections.join('\n\n')}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(new URL('../docs/cli.md', import.meta.url), cliReference())
