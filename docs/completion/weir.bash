# SPDX-License-Identifier: Apache-2.0
# Completion of weir for bash; the words come from the program's own option tables.
_weir() {
    local cur=${COMP_WORDS[COMP_CWORD]} cmd=("${COMP_WORDS[1]}") at=2 parts
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(weir --help=words)" -- "$cur")
        return
    fi
    # "lab net up": as long as a word is a part of what stands before it, it belongs to the command
    while parts=$(weir "${cmd[@]}" --help=parts 2>/dev/null); [ -n "$parts" ] && [ "$at" -lt "$COMP_CWORD" ] && grep -qxF -- "${COMP_WORDS[at]}" <<<"$parts"; do
        cmd+=("${COMP_WORDS[at]}")
        at=$((at + 1))
    done
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(weir "${cmd[@]}" --help=words 2>/dev/null)" -- "$cur")
        if [[ ${COMPREPLY[0]-} == *= ]]; then compopt -o nospace; fi
    elif [ -n "$parts" ] && [ "$at" -eq "$COMP_CWORD" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$parts" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}
complete -F _weir weir
