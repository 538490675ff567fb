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
//	  - id: berlin
//	    api_key: …                     # without terminals: the provider is asked
//
// The file is strict: what is not known, stands twice or has the wrong form is
// refused, with the line, and never with the value, which may be a key. Anchors,
// aliases and tags are not understood. A terminal is taken as it is written, so
// 00000123 stays what it is with and without quotes.
package terminalgroups
