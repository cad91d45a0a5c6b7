// Package data holds the datasets that Estela serves when it is not given
// others: one folder a dataset, with its contract, its views, its endpoints and
// a sample. It holds no logic; a team makes the pipeline its own by editing
// the files in these folders.
package data

import "embed"

// FS holds every dataset folder, named by dataset: flights/contract.json and
// so on. A new folder is part of it at the next build.
//
//go:embed */*
var FS embed.FS
