# What the logs say: pass, fail or skip; FILE; NAME of the test. A unit's log is FILE-BUILD.log in
# TAP; a script's is FILE.log, with "ok - FILE: NAME".

FNR == 1 { file = FILENAME; sub(/.*\//, "", file); sub(/(-release|-asan)?\.log$/, "", file) }

/^(not )?ok [0-9]+ - / {
    name = $0; sub(/^(not )?ok [0-9]+ - /, "", name)
    if (sub(/ *# ?SKIP.*/, "", name))
        print "skip\t" file "\t" name
    else
        print (/^not/ ? "fail\t" : "pass\t") file "\t" name
}
/^(not ok|ok|skip) - / {
    name = $0; sub(/^(not ok|ok|skip) - /, "", name); sub(/^[^:]*: /, "", name)
    sub(/ # .*/, "", name)
    print (/^not/ ? "fail\t" : /^ok/ ? "pass\t" : "skip\t") file "\t" name
}
