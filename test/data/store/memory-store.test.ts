import { createMemoryStore } from '../../../src/data/store/memory-store.ts'
import { blockStoreCompliance } from './compliance.ts'

blockStoreCompliance('the memory store', async () => createMemoryStore())
