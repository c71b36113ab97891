/** `peer doctor`: what this machine can compute with and why not more, whom it reaches, and what to do. */
import { createServer } from 'node:net'
import { availableParallelism, cpus, networkInterfaces, totalmem } from 'node:os'
import type { Command } from 'commander'
import pc from 'picocolors'
import bytes from 'pretty-bytes'
import { shortPeer } from '../../base/ids.ts'
import { checkDataFolder } from '../../peer/data-folder.ts'
import { dataFolder, defaultPort, hasMesh } from '../../peer/home.ts'
import { type CommonOptions, common, isNoPeer, withRunningPeer } from '../session.ts'
import { type Finding, reachFindings, tokenFinding } from './doctor-reach.ts'

export function addDoctor(peer: Command): void {
  common(peer.command('doctor'))
    .description('say what this machine can compute with and why not more, whom it reaches, and what to do')
    .option('--join <token>', 'try the addresses of a join token')
    .addHelpText(
      'after',
      `
Examples:
  peer doctor
  peer doctor --json`,
    )
    .option('--json', 'machine-readable')
    .action(async (options: CommonOptions & { json?: boolean; join?: string }) => {
      const folder = dataFolder(options.data)
      const findings = [
        node(),
        await wasm(),
        await webgpu(),
        await data(folder),
        await port(),
        network(),
        ...(await mesh(options, folder)),
        ...(options.join === undefined ? [] : await token(options.join)),
      ]
      if (options.json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
      else for (const finding of findings) process.stdout.write(lines(finding))
    })
}

function lines({ topic, ok, says, advice }: Finding): string {
  const mark = ok ? pc.green('✓') : pc.yellow('!')
  return `  ${mark} ${topic.padEnd(9)} ${says}\n${advice ? `${' '.repeat(14)}${pc.dim(advice)}\n` : ''}`
}

function node(): Finding {
  return {
    topic: 'node',
    ok: true,
    says: `${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${bytes(totalmem(), { binary: true })}`,
  }
}

async function wasm(): Promise<Finding> {
  const { createWasmBackend } = await import('../../compute/backends/wasm/backend.ts')
  const backend = await createWasmBackend()
  await backend.dispose()
  return {
    topic: 'cpu',
    ok: true,
    says: `${backend.device}; peers of the same numeric class, ${backend.numericClass}, give the same bits`,
  }
}

async function webgpu(): Promise<Finding> {
  const { probeWebGpu } = await import('../../compute/backends/webgpu/probe.ts')
  const probe = await probeWebGpu()
  if (!probe.available) return { topic: 'gpu', ok: false, says: probe.reason ?? 'no adapter', advice: probe.hint }
  if (probe.isFallback) {
    return {
      topic: 'gpu',
      ok: false,
      says: `${probe.adapter}, a software adapter: right, but slower than the CPU workers`,
      advice: "install the graphics card's Vulkan driver; until then peer start computes with the CPU",
    }
  }
  return { topic: 'gpu', ok: true, says: `${probe.adapter}` }
}

async function data(folder: string): Promise<Finding> {
  try {
    await checkDataFolder(folder)
    return { topic: 'data', ok: true, says: folder }
  } catch (thrown) {
    const says = thrown instanceof Error ? thrown.message : String(thrown)
    return { topic: 'data', ok: false, says, advice: 'choose another folder with --data' }
  }
}

function port(): Promise<Finding> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () =>
      resolve({
        topic: 'port',
        ok: true,
        says: `${defaultPort} is in use (by a running peer?); a new peer takes any free port`,
      }),
    )
    server.listen(defaultPort, () =>
      server.close(() => resolve({ topic: 'port', ok: true, says: `${defaultPort} is free` })),
    )
  })
}

function network(): Finding {
  const addresses = Object.values(networkInterfaces()).flatMap(list =>
    (list ?? []).filter(one => !one.internal && one.family === 'IPv4').map(one => one.address),
  )
  return addresses.length > 0
    ? { topic: 'network', ok: true, says: addresses.join(', ') }
    : {
        topic: 'network',
        ok: false,
        says: 'no network but loopback',
        advice: 'other machines cannot be reached; peers on this machine can',
      }
}

async function mesh(options: CommonOptions, folder: string): Promise<Finding[]> {
  try {
    return await withRunningPeer(options, async client => {
      const info = await client.info()
      const others = (await client.peers()).filter(peer => !peer.self)
      const connected = others.filter(peer => peer.connected)
      const reach: Finding =
        connected.length > 0
          ? { topic: 'mesh', ok: true, says: `${info.mesh}: reaches ${connected.map(peer => peer.name).join(', ')}` }
          : {
              topic: 'mesh',
              ok: false,
              says: `${info.mesh}: no other peer is connected`,
              advice: `peers on other networks, or behind a firewall that blocks mDNS (UDP 5353), join by address: peer start --join ${info.token}`,
            }
      const byKey = new Map(others.map(peer => [peer.peer, peer]))
      const tried = reachFindings(await client.reachability(), {
        nameOf: peer => byKey.get(peer)?.name ?? shortPeer(peer),
        up: peer => byKey.get(peer)?.connected ?? false,
      })
      return [reach, ...tried, ...info.warnings.slice(-5).map(says => ({ topic: 'warning', ok: false, says }))]
    })
  } catch (thrown) {
    if (!isNoPeer(thrown)) throw thrown
    const joined = await hasMesh(folder)
    return [
      {
        topic: 'mesh',
        ok: false,
        says: joined
          ? 'this machine belongs to a mesh, but no peer runs'
          : 'no peer runs, and this machine has joined no mesh',
        advice: joined ? 'peer start runs it' : 'peer start makes a mesh; peer start --join TOKEN joins one',
      },
    ]
  }
}

/** The addresses of a token that this machine cannot join with. */
async function token(text: string): Promise<Finding[]> {
  const { decodeToken } = await import('../../mesh/token.ts')
  const { tryAll } = await import('../../mesh/probe.ts')
  const trials = await tryAll(decodeToken(text).addresses)
  return trials.map(trial => tokenFinding(trial))
}
