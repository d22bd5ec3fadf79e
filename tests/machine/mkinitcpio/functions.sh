# The functions that mkinitcpio(8), "About install hooks", offers to build(). Sourced by ./mkinitcpio.

failure() {
    echo "==> ERROR: $*" >&2
    (( ++failures ))
    return 1
}

# Calls a function once for each argument.
map() {
    local call=$1 result=0
    shift
    local argument
    for argument; do
        "$call" "$argument" || result=1
    done
    return "$result"
}

# The name a path has once the links of the skeleton (/lib, /bin, /sbin, /usr/sbin and /usr/lib64) are followed.
canonical() {
    local path=/${1##+(/)}
    case $path in
        /lib64/*) path=/usr/lib/${path#/lib64/} ;;
        /lib/*) path=/usr$path ;;
        /bin/* | /sbin/*) path=/usr/bin/${path#/*/} ;;
    esac
    case $path in
        /usr/sbin/*) path=/usr/bin/${path#/usr/sbin/} ;;
        /usr/lib64/*) path=/usr/lib/${path#/usr/lib64/} ;;
    esac
    printf '%s' "$path"
}

# add_dir PATH [MODE]
add_dir() {
    local path
    path=$(canonical "$1")
    [[ -d $BUILDROOT$path ]] || install -dm "${2:-755}" -- "$BUILDROOT$path"
}

# add_symlink PATH [TARGET]
add_symlink() {
    local path target
    path=$(canonical "$1")
    target=${2:-$(readlink -- "$sysroot$1")}
    [[ -n $target ]] || { failure "add_symlink $1: no target"; return; }
    add_dir "${path%/*}"
    [[ -e $BUILDROOT$path || -L $BUILDROOT$path ]] || ln -s -- "$target" "$BUILDROOT$path"
}

# The file at the end of a chain of links, as a path inside the sysroot.
resolve() {
    local path=$1 target hops=0
    while [[ -L $sysroot$path ]]; do
        (( ++hops < 20 )) || return 1
        target=$(readlink -- "$sysroot$path")
        [[ $target = /* ]] || target=${path%/*}/$target
        path=$(realpath -ms -- "$target")
    done
    printf '%s' "$path"
}

# add_file PATH [DESTINATION] [MODE]
add_file() {
    local source=$1 destination target mode
    destination=$(canonical "${2:-$source}")
    [[ $destination = */ ]] && destination+=${source##*/}
    if [[ ! -e $sysroot$source && ! -L $sysroot$source ]]; then
        failure "file not found: $source"
        return
    fi
    target=$(resolve "$source") || { failure "too many links: $source"; return; }
    if [[ $target != "$source" && $(canonical "$target") != "$destination" && -z ${2:-} ]]; then
        add_symlink "$source" "$(canonical "$target")"
        add_file "$target"
        return
    fi
    [[ -f $sysroot$target ]] || { failure "file not found: $target"; return; }
    mode=${3:-$(stat -c %a -- "$sysroot$target")}
    add_dir "${destination%/*}"
    [[ -e $BUILDROOT$destination ]] || install -m "$mode" -- "$sysroot$target" "$BUILDROOT$destination"
}

# add_full_dir DIRECTORY [GLOB] [STRIP_PREFIX]
add_full_dir() {
    local directory=${1%/} glob=${2:-*} prefix=${3:-} path inside
    for path in "$sysroot$directory"/**; do
        inside=${path#"$sysroot"}
        if [[ -L $path ]]; then
            # shellcheck disable=SC2053
            [[ ${path##*/} = $glob ]] && add_symlink "${inside#"$prefix"}" "$(readlink -- "$path")"
        elif [[ -d $path ]]; then
            add_dir "${inside#"$prefix"}"
        elif [[ ${path##*/} = $glob ]]; then
            add_file "$inside" "${inside#"$prefix"}"
        fi
    done
}

# A shared library by its name: in the run paths of what was added so far (a library may count on one that the program
# has loaded by its own run path), then where every loader looks.
find_library() {
    local directory
    for directory in "${!runpaths[@]}" /usr/lib/x86_64-linux-gnu /usr/lib /usr/lib64; do
        if [[ -e $sysroot$directory/$1 ]]; then
            printf '%s' "$directory/$1"
            return
        fi
    done
    return 1
}
declare -A runpaths=()

# section NAME FILE: the NUL-terminated strings of a section, a line each. objcopy cannot write to a pipe.
section() {
    local extracted=$BUILDROOT/.section
    objcopy -O binary --only-section="$1" -- "$2" "$extracted" 2>/dev/null && LC_ALL=C tr '\0' '\n' < "$extracted"
    rm -f -- "$extracted"
}

# add_binary BINARY [DESTINATION] [MODE]
add_binary() {
    local binary=$1 destination=${2:-} mode=${3:-} directory headers line library interpreter
    local -a needed=() directories=()
    if [[ $binary != /* ]]; then
        for directory in /usr/local/bin /usr/bin /usr/sbin; do
            [[ -e $sysroot$directory/$binary ]] && { binary=$directory/$binary; break; }
        done
    fi
    [[ -e $sysroot$binary || -L $sysroot$binary ]] || { failure "binary not found: $1"; return; }
    add_file "$binary" "$destination" "$mode" || return
    binary=$(resolve "$binary")
    headers=$(readelf -dlW -- "$sysroot$binary" 2>/dev/null) || return 0
    while read -r line; do
        case $line in
            *'(NEEDED)'*) line=${line##*[}; needed+=("${line%]*}") ;;
            *'(RUNPATH)'* | *'(RPATH)'*) line=${line##*[}; IFS=: read -ra directories <<< "${line%]*}" ;;
            *'program interpreter: '*) line=${line##*: }; interpreter=${line%]*} ;;
        esac
    done <<< "$headers"
    if [[ -n ${interpreter:-} ]]; then
        add_file "$(resolve "$(canonical_in_sysroot "$interpreter")")" "$interpreter"
    fi
    for directory in "${directories[@]//\$ORIGIN/${binary%/*}}"; do
        runpaths[$directory]=1
    done
    map add_library "${needed[@]}"
    # What it loads at run time, by its own word (https://systemd.io/ELF_DLOPEN_METADATA/), where that is installed.
    while read -r line; do
        find_library "$line" > /dev/null && add_library "$line"
    done < <(section .note.dlopen "$sysroot$binary" | LC_ALL=C sed -n 's/.*"priority":"\(required\|recommended\)".*"soname":\["\([^"]*\)".*/\2/p')
}

# /lib64 is a link in every merged distribution: the path behind it.
canonical_in_sysroot() {
    local path=$1
    [[ -L $sysroot/${path:1:5} && $path = /lib64/* ]] && path=/$(readlink "$sysroot/lib64")/${path#/lib64/}
    printf '%s' "$path"
}

add_library() {
    local found
    [[ -n ${seen_libraries[$1]:-} ]] && return
    seen_libraries[$1]=1
    found=$(find_library "$1") || { failure "library not found: $1"; return; }
    add_binary "$found" "$found"
}
declare -A seen_libraries=()

# add_module NAME[?]: with its dependencies, those of its "softdep" lines and its firmware. A built-in module is there
# already; one whose name ends in ? may be missing.
add_module() {
    local name=${1%.ko*} path file line key optional=
    [[ $name = *'?' ]] && optional=1 name=${name%'?'}
    key=${name//-/_}
    read_module_index
    [[ -n ${seen_modules[$key]:-} ]] && return
    seen_modules[$key]=1
    path=${module_path[$key]:-}
    if [[ -z $path ]]; then
        [[ -n ${module_builtin[$key]:-} ]] && return
        [[ -n $optional ]] || failure "module not found: '$name'"
        return
    fi
    file=$moduledir/$path
    add_file "$file" "$file" 644
    for line in ${module_needs[$key]}; do
        line=${line##*/}
        add_module "${line%%.ko*}"
    done
    for line in ${module_soft[$key]:-}; do
        # The name of a module, or an alias such as crypto-crc32c, for which any number may stand.
        add_module "$line?"
        while read -r path; do
            add_module "$path?"
        done < <(sed -n "s/^alias $line //p" "$sysroot$moduledir/modules.alias")
    done
    for line in $(modinfo_field firmware "$sysroot$file"); do
        for path in "$sysroot/usr/lib/firmware/$line"{,.xz,.zst}; do
            add_file "${path#"$sysroot"}"
        done
    done
}
declare -A seen_modules=() module_path=() module_needs=() module_soft=() module_builtin=()

# A field of a module's .modinfo section (NUL-separated KEY=VALUE), compressed or not.
modinfo_field() {
    local module=$2 unpacked=$BUILDROOT/.module
    case $module in
        *.xz) xz -dcq -- "$module" > "$unpacked" && module=$unpacked ;;
        *.zst) zstd -dcq -- "$module" > "$unpacked" && module=$unpacked ;;
    esac
    section .modinfo "$module" | sed -n "s/^$1=//p"
    rm -f -- "$unpacked"
}

read_module_index() {
    (( ${#module_path[@]} )) && return
    local path rest name word
    while IFS=: read -r path rest; do
        name=${path##*/}
        name=${name%%.ko*}
        name=${name//-/_}
        module_path[$name]=$path
        module_needs[$name]=$rest
    done < "$sysroot$moduledir/modules.dep"
    while read -r path; do
        name=${path##*/}
        name=${name%%.ko*}
        module_builtin[${name//-/_}]=1
    done < "$sysroot$moduledir/modules.builtin"
    while read -r word name rest; do
        [[ $word = softdep ]] && module_soft[${name//-/_}]+=" ${rest//@(pre:|post:)/}"
    done < "$sysroot$moduledir/modules.softdep"
}

# add_all_modules [-f FILTER] PATTERN
add_all_modules() {
    local filter='.' path name OPTIND option
    while getopts 'f:' option; do
        [[ $option = f ]] && filter=$OPTARG
    done
    shift $((OPTIND - 1))
    read_module_index
    for name in "${!module_path[@]}"; do
        path=${module_path[$name]}
        # shellcheck disable=SC2053
        [[ $path = kernel/${1%/}* && $path =~ $filter ]] && add_module "$name"
    done
    return 0
}

# add_checked_modules [-f FILTER] PATTERN: without the autodetect hook the same as add_all_modules.
add_checked_modules() {
    add_all_modules "$@"
}

# add_runscript: the runtime hook of the install hook's own name.
add_runscript() {
    local hookdir
    for hookdir in "${hookdirs[@]}"; do
        if [[ -f $hookdir/hooks/$SCRIPT ]]; then
            install -Dm 755 -- "$hookdir/hooks/$SCRIPT" "$BUILDROOT/hooks/$SCRIPT"
            return
        fi
    done
    failure "runtime hook not found: $SCRIPT"
}

# add_udev_rule RULE-FILE, and the binaries it runs.
add_udev_rule() {
    local rule=$1 directory word
    if [[ $rule != /* ]]; then
        for directory in /etc/udev/rules.d /usr/lib/udev/rules.d; do
            [[ -f $sysroot$directory/$rule ]] && { rule=$directory/$rule; break; }
        done
    fi
    add_file "$rule" || return
    while read -r word; do
        [[ $word = /* ]] || word=/usr/lib/udev/$word
        [[ -x $sysroot$word ]] && add_binary "$word"
    done < <(sed -n '/^[^#]/s/.*\(RUN{program}+\?\|RUN+\?\|IMPORT{program}\|PROGRAM\)[=!]*="\([^ "]*\).*/\2/p' "$sysroot$rule")
    return 0
}

# add_systemd_unit UNIT...: with its drop-ins, the binaries of its Exec* lines, the units it requires, and the links in
# *.wants that the running system has for it.
add_systemd_unit() {
    local unit directory path key value
    for unit; do
        path=
        for directory in /etc/systemd/system /usr/lib/systemd/system; do
            [[ -e $sysroot$directory/$unit ]] && { path=$directory/$unit; break; }
        done
        [[ -n $path ]] || { failure "unit not found: $unit"; continue; }
        [[ -e $BUILDROOT$path ]] && continue
        add_file "$path"
        while IFS='=' read -r key value; do
            case $key in
                Exec*) add_unit_binary "$value" ;;
                Requires | OnFailure | Unit)
                    # shellcheck disable=SC2086
                    add_systemd_unit ${value//*%*/} ;;
            esac
        done < "$sysroot$path"
        for directory in "$sysroot"/{etc,usr/lib}/systemd/system; do
            for path in "$directory"/*.wants/"$unit"; do
                add_symlink "${path#"$sysroot"}"
            done
            [[ ! -d $directory/$unit.d ]] || add_full_dir "${directory#"$sysroot"}/$unit.d"
        done
    done
}

# The binary of an Exec* line; one that may fail ("-") may also be missing.
add_unit_binary() {
    local word optional=
    read -r word _ <<< "$1"
    while [[ $word = [-@:+!]* ]]; do
        [[ $word = -* ]] && optional=1
        word=${word:1}
    done
    [[ $word = /* ]] || return 0
    [[ -n $optional && ! -e $sysroot$word ]] || add_binary "$word"
}

# modprobe's lists for the modules in the image.
write_module_lists() {
    local name=$BUILDROOT$moduledir
    install -d -- "$name"
    install -m 644 -- "$sysroot$moduledir"/modules.{builtin,builtin.modinfo,order} "$name/"
    # The sysroot's own depmod, by its own loader: it is there whatever runs here.
    "$sysroot/usr/lib64/ld-linux-x86-64.so.2" --library-path "$sysroot/usr/lib/x86_64-linux-gnu:$sysroot/usr/lib" \
        --argv0 depmod "$sysroot/usr/bin/kmod" -b "$BUILDROOT" "$KERNELVERSION" || failure "depmod failed"
}
