# Completion of estela for bash: source <(estela completion bash)
_estela() {
	local IFS=$'\n'
	# shellcheck disable=SC2207 # mapfile is not in the bash of macOS; names have no globs
	COMPREPLY=($("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o bashdefault -o default -F _estela estela
