package plan

// Need is something a check wants from the machine, beside Go.
type Need struct {
	// Name is how messages call it.
	Name string
	// Programs must all be on PATH.
	Programs []string
	// Packages are what Debian calls them.
	Packages []string
}

// CCompiler links DuckDB, which is C++, and the race detector.
func CCompiler() Need {
	return Need{
		Name:     "a C and C++ compiler",
		Programs: []string{"gcc", "g++"},
		Packages: []string{"gcc", "g++", "libc6-dev"},
	}
}

// Redis is the real server that tests start on a port of their own.
func Redis() Need {
	return Need{
		Name:     "Redis",
		Programs: []string{"redis-server"},
		Packages: []string{"redis-server"},
	}
}

// Wrk asks the API for more than it can answer.
func Wrk() Need {
	return Need{
		Name:     "wrk",
		Programs: []string{"wrk"},
		Packages: []string{"wrk"},
	}
}

// Promtool checks and tests the alerting rules.
func Promtool() Need {
	return Need{
		Name:     "promtool",
		Programs: []string{"promtool"},
		Packages: []string{"prometheus"},
	}
}

// Chromium opens the pages; pictures of them are compared, so its font is given too.
func Chromium() Need {
	return Need{
		Name:     "Chromium",
		Programs: []string{"chromium"},
		Packages: []string{"chromium", "fonts-dejavu-core"},
	}
}

// Node runs npm's packages: linters of the OpenAPI document, the compiler of the TypeScript client.
func Node() Need {
	return Need{
		Name:     "Node.js",
		Programs: []string{"node", "npm"},
		Packages: []string{"nodejs", "npm"},
	}
}

// Python runs the generated Python client.
func Python() Need {
	return Need{
		Name:     "Python",
		Programs: []string{"python3"},
		Packages: []string{"python3"},
	}
}

// Curl posts events as its users do.
func Curl() Need {
	return Need{
		Name:     "curl",
		Programs: []string{"curl"},
		Packages: []string{"curl"},
	}
}

// Git reads the revision that a change is compared with.
func Git() Need {
	return Need{
		Name:     "git",
		Programs: []string{"git"},
		Packages: []string{"git"},
	}
}
