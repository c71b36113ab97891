/**
 * Loaded before a peer's own modules, makes a liar of it: it computes what it is told, and says of each result that it
 * is the next shard's. Everything else about it is right, its signature and its hashes as well.
 */
import { registerHooks } from 'node:module'
import { lied } from './liar-says.ts'

const honest = 'messages: messages.map(messageOut)'
const lying = `messages: messages
  .map(message => message.type === 'results' && (console.error('${lied}') ?? true)
    ? { ...message, results: message.results.map(result => ({ ...result, shard: result.shard === 0 ? 1 : result.shard - 1 })) }
    : message)
  .map(messageOut)`

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (!url.endsWith('/jobs/wire/envelope.ts')) return loaded
    const source = String(loaded.source)
    if (!source.includes(honest)) throw new Error(`the liar finds no place for its lie in ${url}`)
    return { ...loaded, source: source.replace(honest, lying) }
  },
})
