/** Loaded before a peer's own modules, takes its image decoder away, as an installation without sharp's binary does. */
import { registerHooks } from 'node:module'

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier !== 'sharp') return nextResolve(specifier, context)
    throw Object.assign(new Error("Cannot find package 'sharp'"), { code: 'ERR_MODULE_NOT_FOUND' })
  },
})
