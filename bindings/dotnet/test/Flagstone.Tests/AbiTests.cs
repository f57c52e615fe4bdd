// The native declarations are those of the header.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Flagstone.Interop;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed partial class AbiTests
{
    private static readonly string s_header = Comments().Replace(File.ReadAllText(Project.Root + "include/flagstone.h"), "");

    private static readonly Dictionary<string, Type> s_structs = new()
    {
        ["flagstone_str"] = typeof(NativeText),
        ["flagstone_bytes"] = typeof(NativeBytes),
        ["flagstone_attr"] = typeof(NativeAttribute),
        ["flagstone_default"] = typeof(NativeDefault),
        ["flagstone_detail"] = typeof(NativeDetail),
        ["flagstone_big_segment_store"] = typeof(NativeBigSegmentStore),
        ["flagstone_big_segment_status"] = typeof(NativeBigSegmentStatus),
        ["flagstone_event"] = typeof(NativeNotification),
        ["flagstone_notification"] = typeof(NativeNotification),
        ["flagstone_client_status_info"] = typeof(NativeClientStatus),
    };

    private static readonly Dictionary<string, Type> s_scalars = new()
    {
        ["void"] = typeof(void),
        ["int32_t"] = typeof(int),
        ["flagstone_status"] = typeof(int),
        ["uint32_t"] = typeof(uint),
        ["int64_t"] = typeof(long),
        ["uint64_t"] = typeof(ulong),
        ["size_t"] = typeof(nuint),
        ["double"] = typeof(double),
    };

    [Fact]
    public void Every_function_of_the_header_is_declared_with_its_types()
    {
        Dictionary<string, string> declared = Functions().ToDictionary(
            method => method.Name,
            method => Signature(method.ReturnType, method.GetParameters().Select(parameter => parameter.ParameterType)));
        Dictionary<string, string> expected = Declaration().Matches(s_header).ToDictionary(
            match => match.Groups[2].Value,
            match => Signature(ToManaged(match.Groups[1].Value), Parameters(match.Groups[3].Value).Select(ToManaged)));
        // Every mark of an exported function but its definitions was understood.
        Assert.Equal(Regex.Count(s_header, "(?<!#define )FLAGSTONE_API"), expected.Count);
        Assert.Equal(
            expected.OrderBy(pair => pair.Key, StringComparer.Ordinal), declared.OrderBy(pair => pair.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Every_declared_function_is_exported_by_the_library_and_the_other_way_round()
    {
        string[] recorded = File.ReadAllLines(Project.Root + "tests/abi/symbols.txt");
        Assert.Equal(
            recorded.Order(StringComparer.Ordinal), Functions().Select(method => method.Name).Order(StringComparer.Ordinal));
        nint library = NativeLibrary.Load(Project.Library);
        Assert.All(Functions(), method => Assert.True(NativeLibrary.TryGetExport(library, method.Name, out _), method.Name));
    }

    [Fact]
    public void Every_struct_has_the_layout_that_is_recorded_for_the_abi()
    {
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllText(Project.Root + "tests/abi/layout.json"));
        JsonElement structs = recorded.RootElement.GetProperty("structs");
        Assert.Equal(s_structs.Keys.Order(), structs.EnumerateObject().Select(member => member.Name).Order());
        foreach (JsonProperty layout in structs.EnumerateObject())
        {
            Type type = s_structs[layout.Name];
            Assert.Equal(layout.Value.GetProperty("size").GetInt32(), Marshal.SizeOf(type));
            FieldInfo[] fields = type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public);
            Assert.Equal(
                layout.Value.GetProperty("members").EnumerateArray().Select(member =>
                    (member.GetProperty("name").GetString(), member.GetProperty("offset").GetInt32(),
                        member.GetProperty("size").GetInt32())),
                fields.Select(field => ((string?)field.Name, (int)Marshal.OffsetOf(type, field.Name), SizeOf(field.FieldType))));
        }
    }

    [Fact]
    public void Constants_and_enumerations_are_those_of_the_header()
    {
        Dictionary<string, long> values = Constant().Matches(s_header).ToDictionary(
            match => match.Groups[1].Value.Replace("_", "", StringComparison.Ordinal), match => long.Parse(match.Groups[2].Value));
        FieldInfo[] constants = typeof(NativeCodes).GetFields(BindingFlags.Static | BindingFlags.NonPublic);
        Assert.True(constants.Length > 20);
        Assert.All(constants, constant =>
            Assert.Equal(values[constant.Name.ToUpperInvariant()], Convert.ToInt64(constant.GetRawConstantValue(), null)));
        AreThoseOf<EvaluationReasonKind>("REASON", values);
        AreThoseOf<EvaluationErrorKind>("ERRORKIND", values);
        AreThoseOf<BigSegmentsStatus>("BIGSEGMENTS", values);
        values["STATEINITIALIZING"] = values["STATEINIT"];
        values.Remove("STATEINIT");
        AreThoseOf<DataSourceState>("STATE", values);
        AreThoseOf<DataSourceErrorKind>("SOURCEERROR", values);
        AreThoseOf<AllFlagsOptions>("ALLFLAGS", values);
        AreThoseOf<MigrationStage>("MIGRATIONSTAGE", values);
        AreThoseOf<MigrationOperation>("MIGRATIONOPERATION", values);
        AreThoseOf<MigrationOrigin>("MIGRATIONORIGIN", values);
    }

    [Fact]
    public void The_package_has_the_version_of_the_library()
    {
        string packaged = typeof(FlagstoneClient).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        Assert.Equal(FlagstoneLibrary.Version, packaged.Split('+')[0]);
        Assert.Equal(new Version(NativeCodes.AbiMajor, NativeCodes.AbiMinor), FlagstoneLibrary.AbiVersion);
        Assert.True(FlagstoneLibrary.SupportsTls);
    }

    [Fact]
    public void Codes_that_this_version_does_not_know_are_unknown()
    {
        NativeDetail detail = NativeDetail.New();
        detail.reason = 99;
        detail.error_kind = 99;
        detail.big_segments_status = 99;
        detail.value_type = 99;
        detail.variation_index = detail.rule_index = -1;
        EvaluationDetail<bool> decoded = Details.Decode<bool, BoolValue>(detail, true);
        Assert.True(decoded.Value);
        Assert.Equal(
            (EvaluationReasonKind.Unknown, (EvaluationErrorKind?)EvaluationErrorKind.Unknown, (BigSegmentsStatus?)BigSegmentsStatus.Unknown),
            (decoded.Reason.Kind, decoded.Reason.ErrorKind, decoded.Reason.BigSegmentsStatus));
        Assert.Equal("""{"kind":"UNKNOWN","errorKind":"UNKNOWN","bigSegmentsStatus":"UNKNOWN"}""", decoded.Reason.ToJsonString());
        Assert.Equal(
            (DataSourceState.Unknown, DataSourceErrorKind.Unknown), (StatusForm.ToState(99), StatusForm.ToErrorKind(99)));
        FlagstoneStatus status = FlagstoneStatus.Parse(
            """{"state":"NEW","flags":"many","ready":1,"further":{},"source":"""
            + """{"state":"NEW","error":{"kind":"NEW","status":"many"}}}""");
        Assert.Equal((DataSourceState.Unknown, 0, false), (status.State, status.FlagCount, status.IsReady));
        DataSourceError error = new(DataSourceErrorKind.Unknown, null, "", default);
        Assert.Equal(new DataSourceStatus(DataSourceState.Unknown, default, error), status.DataSource);
    }

    private static void AreThoseOf<T>(string prefix, Dictionary<string, long> values)
        where T : struct, Enum
    {
        Dictionary<string, long> expected = values
            .Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal) && pair.Key != prefix + "NONE")
            .ToDictionary(pair => pair.Key[prefix.Length..], pair => pair.Value);
        Dictionary<string, long> ours = Enum.GetValues<T>()
            .Where(member => Convert.ToInt64(member, null) >= 0 && member.ToString() != "None")
            .ToDictionary(member => member.ToString().ToUpperInvariant(), member => Convert.ToInt64(member, null));
        Assert.Equal(expected.OrderBy(pair => pair.Value), ours.OrderBy(pair => pair.Value));
    }

    private static IEnumerable<MethodInfo> Functions() => typeof(NativeMethods)
        .GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        .Where(method => method.Name.StartsWith("flagstone_", StringComparison.Ordinal));

    private static string Signature(Type result, IEnumerable<Type> parameters) =>
        $"{result} ({string.Join(", ", parameters)})";

    private static IEnumerable<string> Parameters(string list) =>
        // The last word of a parameter is its name.
        list.Trim() == "void" ? [] : list.Split(',').Select(parameter => LastWord().Replace(parameter.Trim(), ""));

    private static Type ToManaged(string declared)
    {
        int pointers = declared.Count(letter => letter == '*');
        string name = Word().Matches(declared).Select(match => match.Value).First(word => word is not ("const" or "struct"));
        return pointers switch
        {
            0 => s_structs.TryGetValue(name, out Type? type) ? type : s_scalars[name],
            1 when name == "char" => typeof(byte).MakePointerType(),
            1 when name is "double" or "int64_t" or "uint64_t" => s_scalars[name].MakePointerType(),
            1 when s_structs.TryGetValue(name, out Type? type) => type.MakePointerType(),
            1 => typeof(nint),
            _ => typeof(nint).MakePointerType(),
        };
    }

    private static int SizeOf(Type type) => type.IsPointer ? IntPtr.Size : Marshal.SizeOf(type);

    [GeneratedRegex(@"/\*.*?\*/|//[^\n]*", RegexOptions.Singleline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"FLAGSTONE_API\s+([\w\s*]+?)(flagstone_\w+)\(([^)]*)\);")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"FLAGSTONE_(\w+) =? ?(\d+)\b")]
    private static partial Regex Constant();

    [GeneratedRegex(@"\w+$")]
    private static partial Regex LastWord();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();
}
