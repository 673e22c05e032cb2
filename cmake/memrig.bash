# bash completion of memrig: asks the program itself, file names where it knows nothing.
_memrig() {
	local IFS=$'\n' cur words=("${COMP_WORDS[@]:1:COMP_CWORD}")
	cur=${COMP_WORDS[COMP_CWORD]}
	# readline splits at '=': join KEY=VALUE again
	local joined=() w
	for w in "${words[@]}"; do
		if [[ $w == = || ${#joined[@]} -gt 0 && ${joined[-1]} == *= && ${joined[-1]} != --*= ]]; then
			joined[-1]+=$w
		else
			joined+=("$w")
		fi
	done
	COMPREPLY=($("${COMP_WORDS[0]}" __complete -- "${joined[@]}" 2>/dev/null))
	[[ ${joined[-1]} == *=* ]] && COMPREPLY=("${COMPREPLY[@]#*=}")
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
	[[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -F _memrig memrig
