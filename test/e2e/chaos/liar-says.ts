/** What the liar prints at each lie, for the harness to count. */
export const lied = 'A LIE WAS TOLD'
