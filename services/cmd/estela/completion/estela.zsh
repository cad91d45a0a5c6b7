#compdef estela
# Completion of estela for zsh: source <(estela completion zsh)
_estela() {
	local line
	local -a found
	for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		[[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	if (( $#found )); then
		_describe estela found
	else
		_files
	fi
}
if [[ $funcstack[1] == _estela ]]; then
	_estela "$@"
else
	compdef _estela estela
fi
