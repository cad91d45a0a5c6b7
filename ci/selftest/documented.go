package main

// Documented are the module's functions, as ci/README.md and the issue tracker know them, in lower case.
func Documented() []string {
	return []string{
		"test", "testmatrix", "lint", "compile", "unit", "fuzz", "contract", "endtoend", "chaos", "bench",
		"build", "binary", "reproducible", "up",
		"scan", "scancode", "scanimage", "sbom", "sign", "publish", "release",
		"withregistrylogin", "withregistry", "withkey", "withidentity",
		"preview", "deploy", "rollback", "unlock", "smoke", "destroy", "rehearse",
		"generate", "fix", "submit",
	}
}
