package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/schema"
)

// asyncAPIName is what "pos-bridge schema" calls the AsyncAPI document.
const asyncAPIName = "asyncapi"

func newSchema() *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:   "schema [NAME]",
		Short: "Print the messages' JSON Schemas and the AsyncAPI document",
		Long: `Without a name: lists the messages, one a line.
With a name: prints the message's JSON Schema (2020-12).
With "asyncapi": prints the AsyncAPI 3 document with every subject and message.`,
		Example: `  pos-bridge schema
  pos-bridge schema status-event
  pos-bridge schema asyncapi
  pos-bridge schema --all ./schemas`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return schemaNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			all := cmd.Flags().Changed("all")
			switch {
			case all && (len(args) > 0 || folder == ""):
				return &exitError{Code: exitBadConfig, Err: fmt.Errorf("schema: --all needs a folder and allows no schema name")}
			case all:
				return writeSchemas(cmd.OutOrStdout(), folder)
			case len(args) == 0:
				return listSchemas(cmd.OutOrStdout())
			}
			return printSchema(cmd.OutOrStdout(), args[0])
		},
	}
	cmd.Flags().StringVar(&folder, "all", "", "write all of them into this folder, which is made if missing")
	return cmd
}

// schemaNames lists what printSchema prints.
func schemaNames() []string { return append(schema.Names(), asyncAPIName) }

func listSchemas(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, name := range schema.Names() {
		document, err := schema.JSON(name)
		if err != nil {
			return &exitError{Code: exitFailure, Err: err}
		}
		var about struct {
			Description string `json:"description"`
		}
		if err := json.Unmarshal(document, &about); err != nil {
			return &exitError{Code: exitFailure, Err: fmt.Errorf("read schema %s: %w", name, err)}
		}
		line, _, _ := strings.Cut(about.Description, ". ")
		fmt.Fprintf(table, "%s\t%s.\n", name, strings.TrimSuffix(line, "."))
	}
	fmt.Fprintf(table, "%s\t%s\n", asyncAPIName, "Every subject, operation, message, header and reply (AsyncAPI 3).")
	if err := table.Flush(); err != nil {
		return &exitError{Code: exitFailure, Err: fmt.Errorf("print schemas: %w", err)}
	}
	return nil
}

func printSchema(out io.Writer, name string) error {
	if !slices.Contains(schemaNames(), name) {
		return &exitError{Code: exitBadConfig, Err: fmt.Errorf("schema: there is no schema %q; the schemas are %s",
			name, strings.Join(schemaNames(), ", "))}
	}
	document := schema.AsyncAPI()
	if name != asyncAPIName {
		var err error
		if document, err = schema.JSON(name); err != nil {
			return &exitError{Code: exitFailure, Err: err}
		}
	}
	if _, err := out.Write(document); err != nil {
		return &exitError{Code: exitFailure, Err: fmt.Errorf("print schema: %w", err)}
	}
	return nil
}

// writeSchemas writes every file into folder, over what stood there under the
// same name, and prints what it wrote. After an error some may be written.
func writeSchemas(out io.Writer, folder string) error {
	failed := func(err error) error {
		return &exitError{Code: exitFailure, Err: fmt.Errorf("write schemas: %w", err)}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return failed(err)
	}
	names, err := fs.Glob(schema.Files(), "*")
	if err != nil {
		return failed(err)
	}
	for _, name := range names {
		document, err := fs.ReadFile(schema.Files(), name)
		if err != nil {
			return failed(err)
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, document, 0o644); err != nil {
			return failed(err)
		}
		if _, err := fmt.Fprintln(out, path); err != nil {
			return failed(err)
		}
	}
	return nil
}
