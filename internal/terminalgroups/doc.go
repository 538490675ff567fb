// Package terminalgroups knows which API key serves which terminal.
//
// The provider gives a key to each group of terminals, and an order that was
// made with the wrong group's key is lost to every later call. A Directory is
// either one key for every terminal, or read from a file:
//
//	groups:
//	  - id: amsterdam
//	    api_key_file: keys/amsterdam   # relative to this file
//	    terminals: ["00000123", 00000ABC]
//	  - id: "57958"                    # the provider's own number of the group
//	    api_key: …                     # without terminals: the provider is asked
//
// The file is strict: what is not known, occurs twice or has the wrong form is
// refused, with the line, and never with the value, which may be a key. A
// terminal is taken as it is written, so 00000123 stays what it is with and
// without quotes.
//
// # Asking the provider
//
// A key sees the terminals of its own group, or those of the whole account, or
// may not ask at all; the lists are not documented well enough to count on one of
// them. So a group serves a terminal that it does not name only if that is
// certain:
//
//   - the list says that the terminal is in the group whose number is the group's
//     id in the file; or
//   - the key's list has terminals of one group only (or names none), and no other
//     key's list has the terminal.
//
// Every other terminal is refused, with what to write into the file. So is one
// that the provider says is not active.
package terminalgroups
