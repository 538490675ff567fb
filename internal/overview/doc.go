// Package overview is what the operator's console shows: the content of the board,
// the log of one order, what this replica remembers of the payments that it
// follows, and how its connections are. It decides nothing.
package overview
