/** `peer completion SHELL`: a script by which a shell completes commands, options and their choices. */
import { Argument, type Command } from 'commander'
import { completionScript, type Shell, shells } from '../completion.ts'

export function addCompletion(peer: Command): void {
  peer
    .command('completion')
    .description('print a script by which your shell completes commands and options')
    .addArgument(new Argument('<shell>', 'your shell').choices([...shells]))
    .addHelpText(
      'after',
      `
Examples:
  peer completion bash > ~/.local/share/bash-completion/completions/peer
  peer completion zsh > ~/.zfunc/_peer            (with ~/.zfunc in your fpath)
  peer completion fish > ~/.config/fish/completions/peer.fish`,
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(peer, shell))
    })
}
